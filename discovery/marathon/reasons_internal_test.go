package marathon

import "testing"

func TestAnAppThatIsDeletedExcusesItsOwnTasksOnly(t *testing.T) {
	t.Parallel()
	const id = "0fe9fc8c-6f0f-11e9-8b8d-70b3d5800001"
	for name, tt := range map[string]struct {
		gone, app, task string
		want            bool
	}{
		"its task":                                        {"/a/b", "/a/b", "a_b." + id, true},
		"its task on a volume":                            {"/a/b", "/a/b", "a_b." + id + ".2", true},
		"its task since Marathon 1.5":                     {"/a/b", "/a/b", "a_b.instance-" + id + "._app.1", true},
		"its container":                                   {"/a/b", "/a/b", "a_b.instance-" + id + ".web", true},
		"its task with a dot in its ID":                   {"/a/b.c", "/a/b.c", "a_b.c." + id, true},
		"one whose ID goes on with a dot":                 {"/a/b", "/a/b.c", "a_b.c." + id, false},
		"one on a volume whose ID goes on with a dot":     {"/a/b", "/a/b.c", "a_b.c." + id + ".2", false},
		"one of 1.5 whose ID goes on with a dot":          {"/a/b", "/a/b.c", "a_b.c.instance-" + id + "._app.1", false},
		"one whose ID goes on like an instance":           {"/a/b", "/a/b.instance-x", "a_b.instance-x." + id, false},
		"one whose ID goes on":                            {"/a/b", "/a/bc", "a_bc." + id, false},
		"one below it":                                    {"/a/b", "/a/b/c", "a_b_c." + id, false},
		"one with an underscore for the slash":            {"/a/b", "/a_b", "a_b." + id, false},
		"its task in a group":                             {"/a/b", "/g", "a_b." + id, true},
		"its task of 1.5 in a group":                      {"/a/b", "/g", "a_b.instance-" + id + "._app.1", true},
		"its task in a group whose name it goes on with":  {"/a/b.c", "/a/b", "a_b.c." + id, true},
		"its task in a group of its name":                 {"/a/b", "/a/b", "a_b." + id, true},
		"another one of a group of its name":              {"/a/b", "/a/b", "a_b-green." + id, false},
		"one whose ID goes on with a dot, in a group":     {"/a/b", "/g", "a_b.c." + id, false},
		"one of 1.5 whose ID goes on with a dot, grouped": {"/a/b", "/g", "a_b.c.instance-" + id + "._app.1", false},
	} {
		var r reasons
		r.note(Hint{Gone: []string{tt.gone}})
		if got := r.excuse()(tt.app, tt.task); got != tt.want {
			t.Errorf("%s: the end of %s excuses %s of %s: %v, want %v", name, tt.gone, tt.task, tt.app, got, tt.want)
		}
	}
}
