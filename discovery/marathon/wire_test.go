package marathon_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

func TestDecodeAppsRefusesWhatIsNoList(t *testing.T) {
	t.Parallel()
	empty, err := os.ReadFile("testdata/apps/empty-body-200.txt")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		body string
		want error // nil: any error will do
	}{
		"the empty body that some versions sent with status 200": {string(empty), io.ErrUnexpectedEOF},
		"blanks":                         {" \n", io.ErrUnexpectedEOF},
		"null instead of the document":   {`null`, marathon.ErrNoApps},
		"list instead of the document":   {`[]`, marathon.ErrNoApps},
		"apps missing":                   {`{}`, marathon.ErrNoApps},
		"apps null":                      {`{"apps":null}`, marathon.ErrNoApps},
		"apps an object":                 {`{"apps":{}}`, marathon.ErrNoApps},
		"only an error message":          {`{"message":"no leader"}`, marathon.ErrNoApps},
		"a page in HTML":                 {`<html>503</html>`, nil},
		"cut in the list":                {`{"apps":[{"id":"/a"}`, io.ErrUnexpectedEOF},
		"cut in an app":                  {`{"apps":[{"id":"/a","ta`, io.ErrUnexpectedEOF},
		"cut before the last brace":      {`{"apps":[{"id":"/a"}]`, io.ErrUnexpectedEOF},
		"cut in a member that is unread": {`{"apps":[],"x":{"y":`, io.ErrUnexpectedEOF},
		"text after the document":        {`{"apps":[]} {}`, nil},
		"a slip in the syntax":           {`{"apps":[{"id":"/a",}]}`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apps, err := marathon.DecodeApps(strings.NewReader(tt.body))
			if err == nil || apps != nil {
				t.Fatalf("DecodeApps = %v, %v; want an error", apps, err)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestDecodeAppsPassesReadErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	body := io.MultiReader(strings.NewReader(`{"apps":[{"id":"/a"},`), iotest.ErrReader(broken))
	if _, err := marathon.DecodeApps(body); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestDecodeAppsTakesEveryShape(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want marathon.App
	}{
		"null members are absent, at any depth": {
			`{"id":"/a","labels":{"HAPROXY_0_VHOST":null,"HAPROXY_GROUP":"g"},"ports":null,"portDefinitions":null,
			"container":{"docker":null,"portMappings":null},"networks":null,"ipAddress":{"groups":null},
			"healthChecks":null,"tasks":null}`,
			marathon.App{ID: "/a", Labels: marathon.Labels{"HAPROXY_GROUP": "g"}},
		},
		"null members of lists keep their place": {
			`{"id":"/a","ports":[null,2],"networks":[null],"healthChecks":[null],"tasks":[null,{"id":"t","ports":[null,5]}]}`,
			marathon.App{
				ID: "/a", Ports: []*int{nil, new(2)}, Networks: []*marathon.Network{nil},
				HealthChecks: []*marathon.HealthCheck{nil},
				Tasks:        []marathon.Task{{}, {ID: "t", Ports: []int{0, 5}}},
			},
		},
		"unknown and oddly typed members that nobody reads do not matter": {
			`{"id":"/a","unreachableStrategy":"disabled","cpus":"many","env":[1,{"x":2}],"container":{"volumes":7}}`,
			marathon.App{ID: "/a"},
		},
		"labels that mlb does not read are not kept": {
			`{"id":"/a","labels":{"owner":7,"VIP_0":"x","HAPROXY_0_PORT":"1"}}`,
			marathon.App{ID: "/a", Labels: marathon.Labels{"HAPROXY_0_PORT": "1"}},
		},
		"an empty ipAddress is none": {`{"id":"/a","ipAddress":{}}`, marathon.App{ID: "/a"}},
		"discovery ports without number are left out": {
			`{"id":"/a","ipAddress":{"discovery":{"ports":[{"number":1},{},null,{"number":2}]}}}`,
			marathon.App{ID: "/a", IPPerTask: marathon.IPPerTask{Present: true, Ports: []int{1, 2}}},
		},
		"a health check has Marathon's defaults": {
			`{"id":"/a","healthChecks":[{},{"protocol":"TCP","port":9,"portIndex":null,"maxConsecutiveFailures":0}]}`,
			marathon.App{ID: "/a", HealthChecks: []*marathon.HealthCheck{
				{
					Protocol: "HTTP", Path: "/", GracePeriodSeconds: 300, IntervalSeconds: 60, TimeoutSeconds: 20,
					MaxConsecutiveFailures: 3, Document: "{}",
				},
				{
					Protocol: "TCP", Path: "/", Port: 9, GracePeriodSeconds: 300, IntervalSeconds: 60, TimeoutSeconds: 20,
					Document: `{"protocol":"TCP","port":9,"portIndex":null,"maxConsecutiveFailures":0}`,
				},
			}},
		},
		"null results are no results": {
			`{"id":"/a","tasks":[{"id":"t","healthCheckResults":[null]},{"id":"u","healthCheckResults":[{"alive":true},{},null]}]}`,
			marathon.App{ID: "/a", Tasks: []marathon.Task{
				{ID: "t"}, {ID: "u", Results: marathon.Results{Alive: 1, Failing: 1}},
			}},
		},
		"an empty list of port definitions is not a missing one": {
			`{"id":"/a","portDefinitions":[]}`,
			marathon.App{ID: "/a", PortDefinitions: []marathon.PortDefinition{}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := marathon.DecodeApps(strings.NewReader(`{"x":[1,{"apps":[]}],"apps":[` + tt.body + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]marathon.App{tt.want}, got); diff != "" {
				t.Errorf("apps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnreadableAppCostsOnlyItself(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"text where a port is expected":   `{"id":"/bad","ports":["31000"]}`,
		"fraction where a port is needed": `{"id":"/bad","portDefinitions":[{"port":1.5}]}`,
		"label that is a number":          `{"id":"/bad","labels":{"HAPROXY_0_PORT":80}}`,
		"labels that are a list":          `{"id":"/bad","labels":[]}`,
		"task that is a text":             `{"id":"/bad","tasks":["t1"]}`,
		"results that are an object":      `{"id":"/bad","tasks":[{"healthCheckResults":{}}]}`,
		"address that is a text":          `{"id":"/bad","ipAddress":"10.0.0.1"}`,
		"health check that is a text":     `{"id":"/bad","healthChecks":["HTTP"]}`,
		"container that is a list":        `{"id":"/bad","container":[]}`,
	}
	const good = `{"id":"/good","labels":{"HAPROXY_GROUP":"external"},"portDefinitions":[{"port":10000}],
		"tasks":[{"id":"t","host":"10.0.0.1","ports":[31000]}]}`
	for name, text := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apps, err := marathon.DecodeApps(strings.NewReader(`{"apps":[` + text + `,` + good + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			got := derive(t, external(), apps...)
			if diff := cmp.Diff([]string{"/good#0:10000 -> 10.0.0.1:31000"}, routes(got)); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"/bad#-1: unreadable app"}, reasons(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	for name, text := range map[string]string{"an app that is a text": `"x"`, "an app that is null": `null`} {
		apps, err := marathon.DecodeApps(strings.NewReader(`{"apps":[` + text + `,` + good + `]}`))
		if err != nil || len(apps) != 2 {
			t.Fatalf("%s: %v, %v", name, apps, err)
		}
		if got := derive(t, external(), apps...); len(got.Services) != 1 || len(got.Problems) != 1 {
			t.Errorf("%s: %v, %v", name, routes(got), reasons(got))
		}
	}
}

func TestDecodeEmptyList(t *testing.T) {
	t.Parallel()
	if apps := readApps(t, "apps/empty.json"); apps == nil || len(apps) != 0 {
		t.Errorf("apps = %v, want none", apps)
	}
}

func TestDecodeApp(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"testdata/apps/v1.3-single-app.json", "testdata/apps/v1.9-single-app.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		app, err := marathon.DecodeApp(text)
		if err != nil || app.ID == "" || app.Fault != "" || len(app.Tasks) == 0 {
			t.Errorf("%s: app %+v, error %v", file, app, err)
		}
	}
	for _, body := range []string{``, `{}`, `{"app":null}`, `{"apps":[]}`, `{"app":{"id":"/a"}`, `{"message":"App '/a' does not exist"}`} {
		if app, err := marathon.DecodeApp([]byte(body)); err == nil {
			t.Errorf("DecodeApp(%q) = %+v, want an error", body, app)
		}
	}
	if app, err := marathon.DecodeApp([]byte(`{"app":{"id":7}}`)); err != nil || app.Fault == "" {
		t.Errorf("app with a number as ID: %+v, %v; want a fault", app, err)
	}
}
