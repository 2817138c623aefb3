package haproxy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
)

func TestWithSuffix(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"wherever the path stands":          {"map(/d/a.map) -f /d/a.map\n\"/d/a.map\"", "map(/d/a.map.new) -f /d/a.map.new\n\"/d/a.map.new\""},
		"twice with one character between":  {"/d/a.map,/d/a.map", "/d/a.map.new,/d/a.map.new"},
		"not as the beginning of another":   {"/d/a.map2 /d/a.map/x /d/a.map.bak", "/d/a.map2 /d/a.map/x /d/a.map.bak"},
		"not as the end of another":         {"/x/d/a.map x/d/a.map", "/x/d/a.map x/d/a.map"},
		"not where another begins right on": {"/d/a.map/d/a.map", "/d/a.map/d/a.map"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, haproxy.WithSuffix(tc.text, "/d/a.map", ".new")); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

// A candidate has the lines of the text, and nothing else is changed in them.
func FuzzWithSuffix(f *testing.F) {
	f.Add("use_backend %[hdr(host),map(/d/a.map)]\n")
	f.Add("/d/a.map/d/a.map /d/a.map")
	f.Fuzz(func(t *testing.T, text string) {
		got := haproxy.WithSuffix(text, "/d/a.map", "\x00")
		if back := strings.ReplaceAll(got, "\x00", ""); back != strings.ReplaceAll(text, "\x00", "") {
			t.Errorf("%q became %q", text, got)
		}
		if strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Errorf("%q became %q: another number of lines", text, got)
		}
	})
}
