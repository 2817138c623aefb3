package marathonsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

func TestRollingDeploymentKeepsTheMinimumAndMixesVersions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		minimum, over    float64
		fewest, mostly   int // ready at least, tasks at most
		instances, mixed int
	}{
		"defaults":        {1, 1, 4, 8, 4, 1},
		"half":            {0.5, 0, 2, 4, 4, 1},
		"no room for one": {1, 0, 4, 5, 4, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{LaunchDelay: 10 * time.Millisecond})
			document := `{"id":"/a","cmd":"serve","instances":%d,"labels":{"v":"%d"},
				"upgradeStrategy":{"minimumHealthCapacity":%g,"maximumOverCapacity":%g}}`
			simtest.Deploy(t, c, fmt.Sprintf(document, tt.instances, 1, tt.minimum, tt.over))
			old := simtest.Running(t, c, "/a", tt.instances)
			f := follow(t, c, "")
			f.awaitKind(t, "event_stream_attached", 1)
			fewest, most, mixed := atomic.Int64{}, atomic.Int64{}, atomic.Int64{}
			fewest.Store(1000)
			simtest.Deploy(t, c, fmt.Sprintf(document, tt.instances, 2, tt.minimum, tt.over))
			simtest.Wait(t, c, "the end of the deployment", func() bool {
				all, ready, versions := 0, 0, map[string]bool{}
				for _, task := range c.Tasks("/a") {
					if task.Ready || task.State == "TASK_STAGING" || task.State == "TASK_STARTING" {
						all++
						versions[task.Version] = true
					}
					if task.Ready {
						ready++
					}
				}
				fewest.Store(min(fewest.Load(), int64(ready)))
				most.Store(max(most.Load(), int64(all)))
				mixed.Store(max(mixed.Load(), int64(len(versions))))
				return !c.Deploying()
			})
			if int(fewest.Load()) < tt.fewest || int(most.Load()) > tt.mostly || mixed.Load() < 2 {
				t.Errorf("ready at least %d, tasks at most %d, versions at once %d", fewest.Load(), most.Load(), mixed.Load())
			}
			for _, task := range simtest.Running(t, c, "/a", tt.instances) {
				if slices.ContainsFunc(old, func(o marathonsim.TaskInfo) bool { return o.ID == task.ID }) {
					t.Errorf("task %s was not replaced", task.ID)
				}
			}
			f.awaitKind(t, "deployment_success", 1)
			kinds, data := f.events()
			if i := slices.Index(kinds, "deployment_info"); !strings.Contains(data[i], `"action":"RestartApplication"`) {
				t.Error(data[i])
			}
		})
	}
}

func TestScalingKeepsTasksAndConfigVersion(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","instances":2}`)
	before := simtest.Running(t, c, "/a", 2)
	if err := c.Scale("/a", 3); err != nil {
		t.Fatal(err)
	}
	after := simtest.Running(t, c, "/a", 3)
	for i := range before {
		if after[i].ID != before[i].ID || after[i].Version != before[i].Version {
			t.Errorf("task %s of %s became %s of %s", before[i].ID, before[i].Version, after[i].ID, after[i].Version)
		}
	}
	var app struct {
		App struct {
			Version     string
			VersionInfo struct{ LastScalingAt, LastConfigChangeAt string }
		}
	}
	_, body := get(t, c.Masters()[0]+"/v2/apps//a")
	if err := json.Unmarshal([]byte(body), &app); err != nil {
		t.Fatal(err)
	}
	v := app.App
	if v.Version != v.VersionInfo.LastScalingAt || v.VersionInfo.LastConfigChangeAt != before[0].Version || v.Version == before[0].Version {
		t.Errorf("%+v", v)
	}
}

func TestLockedAppIsRefusedUnlessForced(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{}) // a health check that never reports keeps the deployment
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[{"protocol":"HTTP"}]}`)
	r, body := send(t, "PUT", c.Masters()[0]+"/v2/apps//a", `{"instances":2}`)
	if r.StatusCode != http.StatusConflict || !strings.HasPrefix(body, `{"message":"App is locked by one or more deployments.","deployments":[{"id":"`) {
		t.Errorf("%s %s", r.Status, body)
	}
	_, deployments := get(t, c.Masters()[0]+"/v2/deployments")
	if !strings.Contains(deployments, `"affectedApps":["/a"],"affectedPods":[]`) {
		t.Error(deployments)
	}
	f := follow(t, c, "")
	f.awaitKind(t, "event_stream_attached", 1)
	if r, body := send(t, "PUT", c.Masters()[0]+"/v2/apps//a?force=true", `{"healthChecks":[]}`); r.StatusCode != http.StatusOK {
		t.Errorf("%s %s", r.Status, body)
	}
	f.awaitKind(t, "deployment_failed", 1)
	f.awaitKind(t, "deployment_success", 1)
	simtest.Running(t, c, "/a", 1)
}

func TestDependenciesWaitForHealth(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{HealthInterval: 20 * time.Millisecond, Speed: 1000})
	simtest.Deploy(t, c, marathonsim.WordPress()) // depends on the database by an absolute id
	early := false
	simtest.Wait(t, c, "the group", func() bool {
		if len(c.Tasks("/wordpress/web-app")) > 0 && len(c.Ready("/wordpress/mysql-db")) == 0 {
			early = true
		}
		return !c.Deploying()
	})
	if early {
		t.Error("the web tasks came before the database was healthy")
	}
	simtest.Running(t, c, "/wordpress/web-app", 3)
}

func TestGroupsReplaceWhatTheyName(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Unserved: true})
	url := c.Masters()[0] + "/v2/groups"
	steps := []struct{ method, path, body, want string }{
		{"POST", "", `{"id":"/shop","groups":[{"id":"db","apps":[{"id":"sql","cmd":"x"}]}],"apps":[{"id":"web","cmd":"x","dependencies":["db/sql"]}]}`, "/shop/db/sql /shop/web"},
		{"PUT", "/shop", `{"apps":[{"id":"api","cmd":"x"}]}`, "/shop/api /shop/db/sql"},
		{"PUT", "/shop", `{"groups":[]}`, "/shop/api"},
		{"POST", "/shop", `{"id":"more","apps":[{"id":"a","cmd":"x"}]}`, "/shop/api /shop/more/a"},
		{"PUT", "/shop", `{"scaleBy":3}`, "/shop/api /shop/more/a"},
		{"DELETE", "/shop/more", ``, "/shop/api"},
		{"DELETE", "/shop", ``, ""},
	}
	for _, s := range steps {
		r, body := send(t, s.method, url+s.path, s.body)
		if r.StatusCode > 299 {
			t.Fatalf("%s %s: %s %s", s.method, s.path, r.Status, body)
		}
		apps := c.Apps()
		slices.Sort(apps)
		if got := strings.Join(apps, " "); got != s.want {
			t.Errorf("%s %s %s: %q instead of %q", s.method, s.path, s.body, got, s.want)
		}
		simtest.Idle(t, c)
		if strings.Contains(s.body, "scaleBy") {
			simtest.Running(t, c, "/shop/api", 3)
		}
	}
}

func TestServicePorts(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Unserved: true})
	ports := func(id string) string {
		_, body := get(t, c.Masters()[0]+"/v2/apps/"+id)
		var doc struct {
			App struct{ PortDefinitions []struct{ Port int } }
		}
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(doc.App.PortDefinitions)
	}
	for _, s := range []struct{ document, id, want, rule string }{
		{`{"id":"/a","cmd":"x"}`, "/a", "[{10000}]", "the default is one port, the lowest"},
		{`{"id":"/b","cmd":"x","portDefinitions":[{"port":10001},{"port":0}]}`, "/b", "[{10001} {10002}]", "explicit ports are taken as they are"},
		{`{"id":"/c","cmd":"x","portDefinitions":[]}`, "/c", "[]", "an empty list means none"},
		{`{"id":"/d","cmd":"x","ports":[10000]}`, "/d", "[{10000}]", "duplicates are accepted"},
		{`{"id":"/b","cmd":"x","portDefinitions":[{"port":0},{"port":0},{"port":0}]}`, "/b", "[{10001} {10002} {10003}]", "an app keeps the ports it had"},
		{`{"id":"/e","cmd":"x","portDefinitions":[{"port":80}]}`, "/e", "[{80}]", "the range is for assigned ports only"},
	} {
		simtest.Deploy(t, c, s.document)
		if got := ports(s.id); got != s.want {
			t.Errorf("%s: %s instead of %s", s.rule, got, s.want)
		}
	}
	if err := c.Delete("/a"); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete("/d"); err != nil {
		t.Fatal(err)
	}
	simtest.Deploy(t, c, `{"id":"/f","cmd":"x"}`)
	if got := ports("/f"); got != "[{10000}]" {
		t.Errorf("the lowest free port is 10000, not %s", got)
	}
}

func TestKillingTasks(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","instances":3}`)
	url := c.Masters()[0]
	tasks := simtest.Running(t, c, "/a", 3)
	r, body := send(t, "DELETE", url+"/v2/apps//a/tasks/"+tasks[0].ID, "")
	if r.StatusCode != http.StatusOK || !strings.HasPrefix(body, `{"task":{"id":"`+tasks[0].ID) {
		t.Errorf("%s %s", r.Status, body)
	}
	replaced := func() bool {
		ready := c.Ready("/a")
		return len(ready) == 3 && !slices.ContainsFunc(ready, func(i marathonsim.TaskInfo) bool { return i.ID == tasks[0].ID })
	}
	simtest.Wait(t, c, "a replacement", replaced)
	r, body = send(t, "POST", url+"/v2/tasks/delete?scale=true", `{"ids":["`+tasks[1].ID+`"]}`)
	if r.StatusCode != http.StatusOK || !strings.Contains(body, "deploymentId") {
		t.Errorf("%s %s", r.Status, body)
	}
	for _, task := range simtest.Running(t, c, "/a", 2) {
		if task.ID == tasks[1].ID {
			t.Errorf("the wrong task was killed")
		}
	}
	if r, _ := send(t, "DELETE", url+"/v2/apps//a/tasks/nope", ""); r.StatusCode != http.StatusNotFound {
		t.Error(r.Status)
	}
}

// Until the order has arrived the task serves and is shown as running.
func TestOrderToEndATaskTakesItsTime(t *testing.T) {
	t.Parallel()
	const delay = 300 * time.Millisecond
	c := simtest.Start(t, marathonsim.Options{KillDelay: delay})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","instances":1}`)
	task := simtest.Running(t, c, "/a", 1)[0]
	begin := time.Now()
	if err := c.KillTask(task.ID); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		for _, i := range c.Tasks("/a") {
			if i.ID == task.ID {
				return i.State
			}
		}
		return "gone"
	}
	if got := state(); got != "TASK_RUNNING" {
		t.Errorf("state %s, want TASK_RUNNING", got)
	}
	simtest.Wait(t, c, "the end of the task", func() bool { return state() != "TASK_RUNNING" })
	if took := time.Since(begin); took < delay {
		t.Errorf("the task served for %s, want at least %s", took, delay)
	}
}

func TestCrashedTaskFailsAndIsReplacedAfterTheBackoff(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Speed: 20})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve"}`)
	task := simtest.Running(t, c, "/a", 1)[0]
	f := follow(t, c, "?event_type=status_update_event")
	simtest.Wait(t, c, "the stream", func() bool { return c.Streams() == 1 })
	if err := c.CrashTask(task.ID); err != nil {
		t.Fatal(err)
	}
	f.awaitKind(t, "status_update_event", 1)
	if _, data := f.events(); !strings.Contains(data[0], `"taskStatus":"TASK_FAILED","message":"Container exited with status 137"`) {
		t.Error(data[0])
	}
	if next := simtest.Running(t, c, "/a", 1)[0]; next.ID == task.ID {
		t.Error("the task was not replaced")
	}
	_, body := get(t, c.Masters()[0]+"/v2/apps//a")
	if !strings.Contains(body, `"lastTaskFailure":{"appId":"/a"`) || !strings.Contains(body, `"taskId":"`+task.ID+`"`) {
		t.Error(body)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Unserved: true})
	for _, d := range []string{
		`{"id":"/shop/web","cmd":"serve","labels":{"group":"external","tier":"front"}}`,
		`{"id":"/shop/web2","cmd":"serve","labels":{"group":"internal"}}`,
		`{"id":"/db","cmd":"store","labels":{"a b":"c,d"}}`,
	} {
		simtest.Deploy(t, c, d)
	}
	for query, want := range map[string]string{
		"":                                   "/shop/web /shop/web2 /db",
		"id=/shop/web":                       "/shop/web /shop/web2",
		"id=SHOP":                            "/shop/web /shop/web2",
		"cmd=Store":                          "/db",
		"label=group":                        "/shop/web /shop/web2",
		"label=group==external":              "/shop/web",
		"label=group!=external":              "/shop/web2",
		"label=group+in+(external,internal)": "/shop/web /shop/web2",
		"label=group+notin+(external)":       "/shop/web2",
		"label=group,tier==front":            "/shop/web",
		`label=a%5C+b==c%5C,d`:               "/db",
		"embed=apps.unheard":                 "/shop/web /shop/web2 /db",
	} {
		_, body := get(t, c.Masters()[0]+"/v2/apps?"+query)
		var ids []string
		for _, app := range decodeApps(t, body) {
			ids = append(ids, app["id"].(string))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q instead of %q", query, got, want)
		}
	}
	if r, _ := get(t, c.Masters()[0]+"/v2/apps?label=%3D%3D"); r.StatusCode != http.StatusUnprocessableEntity {
		t.Error(r.Status)
	}
	_, body := get(t, c.Masters()[0]+"/v2/apps/shop/*")
	if !strings.HasPrefix(body, `{"*":[{"id":"/shop/web"`) || !strings.Contains(body, `"tasks":[`) {
		t.Error(body)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	simtest.Deploy(t, c, `{"id":"/a/b","cmd":"x"}`)
	for _, s := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v2/apps//nope", "", 404, `{"message":"App '/nope' does not exist"}`},
		{"GET", "/v2/groups//nope", "", 404, `{"message":"Group '/nope' does not exist"}`},
		{"GET", "/v2/nope", "", 500, `{"message":"URI not found"}`},
		{"POST", "/v2/apps", `{"id":"/x/restart","cmd":"x"}`, 422, `{"message":"Object is not valid","details":[{"path":"/id","errors":["must not end with any of the following reserved keywords: restart, tasks, versions, ., .."]}]}`},
		{"POST", "/v2/apps", `{"id":"/A","cmd":"x"}`, 422, "must fully match"},
		{"POST", "/v2/apps", `{"id":"/x"}`, 422, "must either contain"},
		{"POST", "/v2/apps", `{`, 400, "Invalid JSON"},
		{"POST", "/v2/apps", `{"id":"/a/b","cmd":"x"}`, 409, "already exists"},
		{"POST", "/v2/apps", `{"id":"/a","cmd":"x"}`, 409, "conflicts with an existing group"},
		{"POST", "/v2/apps", `{"id":"/x","cmd":"x","container":{"docker":{"image":"i","network":"BRIDGE"}},"networks":[{"mode":"host"}]}`, 422, "both"},
		{"PATCH", "/v2/apps", ``, 405, "<html>"},
		{"GET", "/v2/leader", "", 200, `{"leader":"127.0.0.1:`},
		{"GET", "/ping", "", 200, "pong"},
		{"GET", "/v2/info", "", 200, `"version":"1.9.109","elected":true`},
		{"GET", "/v2/deployments", "", 200, `[]`},
	} {
		if s.path == "/v2/deployments" {
			simtest.Idle(t, c)
		}
		r, body := send(t, s.method, c.Masters()[0]+s.path, s.body)
		if r.StatusCode != s.status || !strings.Contains(body, s.want) {
			t.Errorf("%s %s %s: %s %s", s.method, s.path, s.body, r.Status, body)
		}
	}
}
