package marathonsim_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// The parts of a definition that a user posts; the rest is Marathon's.
var posted = []string{ //nolint:gochecknoglobals // a constant
	"id", "cmd", "env", "instances", "cpus", "mem", "disk", "container", "healthChecks", "labels", "dependencies",
	"portDefinitions", "ports", "requirePorts", "networks", "ipAddress", "uris",
}

// TestAppsHaveTheShapeOfTheGeneration posts the definitions of recorded answers
// and compares what comes back with the recorded answer: every value of the
// definition, and of tasks which keys there are, which are null and of what type.
func TestAppsHaveTheShapeOfTheGeneration(t *testing.T) {
	t.Parallel()
	answers := map[marathonsim.Generation]int{}
	files, err := filepath.Glob("testdata/apps/v*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		answers[generationOf(file)]++
	}
	for _, generation := range marathonsim.Generations() {
		if answers[generation] < 4 {
			t.Errorf("%s has %d recorded answers", generation, answers[generation])
		}
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			generation := generationOf(file)
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Unserved: true, Speed: 3000})
			want := readApps(t, file)
			for _, app := range want {
				document := map[string]any{}
				for _, name := range posted {
					if v, ok := app[name]; ok && v != nil {
						document[name] = v
					}
				}
				fitForPosting(document)
				simtest.Deploy(t, c, string(encode(t, document)))
			}
			for _, app := range want {
				simtest.Running(t, c, app["id"].(string), int(app["instances"].(float64)))
			}
			_, body := get(t, c.Masters()[0]+"/v2/apps?embed=apps.tasks&embed=apps.deployments")
			got := decodeApps(t, body)
			if len(got) != len(want) {
				t.Fatalf("%d apps instead of %d", len(got), len(want))
			}
			for i := range want {
				compareApp(t, want[i], got[i])
			}
		})
	}
}

// fitForPosting removes what an answer holds twice, in an old and a new form.
func fitForPosting(document map[string]any) {
	container, _ := document["container"].(map[string]any)
	docker, _ := container["docker"].(map[string]any)
	if network, _ := docker["network"].(string); network != "HOST" && network != "" {
		delete(document, "portDefinitions")
	}
}

// generationOf reads the generation from the name of a recorded answer, such as
// v1.9-host.json.
func generationOf(file string) marathonsim.Generation {
	name, _, _ := strings.Cut(filepath.Base(file), "-")
	return marathonsim.Generation(strings.TrimPrefix(name, "v"))
}

// recorded returns the generations of which there is a recorded answer.
func recorded(t *testing.T, pattern string) []marathonsim.Generation {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	var out []marathonsim.Generation
	for _, file := range files {
		out = append(out, generationOf(file))
	}
	return out
}

// compareApp compares definitions by value, but for times, and the rest by shape.
func compareApp(t *testing.T, want, got map[string]any) {
	t.Helper()
	wantTasks, _ := want["tasks"].([]any)
	gotTasks, _ := got["tasks"].([]any)
	if len(wantTasks) != len(gotTasks) {
		t.Errorf("%s: %d tasks instead of %d", want["id"], len(gotTasks), len(wantTasks))
		return
	}
	for i := range wantTasks {
		w, g := shape(wantTasks[i]), shape(gotTasks[i])
		if hasFailure(wantTasks[i]) {
			continue // a failing check cannot be posted
		}
		if diff := cmp.Diff(w, g); diff != "" {
			t.Errorf("%s, task %d (-want +got)\n%s", want["id"], i, diff)
		}
	}
	w, g := maps.Clone(want), maps.Clone(got)
	for _, m := range []map[string]any{w, g} {
		delete(m, "tasks")
		for _, name := range []string{"version", "versionInfo", "tasksHealthy", "tasksUnhealthy"} {
			m[name] = shape(m[name])
		}
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s (-want +got)\n%s", want["id"], diff)
	}
}

func hasFailure(task any) bool {
	return strings.Contains(string(mustEncode(task)), `"lastFailureCause":"`)
}

// shape replaces values by their types and keeps keys; lists are as long as they
// were, which is right for ports and addresses.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = shape(e)
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, shape(e))
		}
		return out
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "bool"
	case float64:
		return "number"
	}
	return "?"
}

func readApps(t *testing.T, file string) []map[string]any {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return decodeApps(t, string(b))
}

func decodeApps(t *testing.T, body string) []map[string]any {
	t.Helper()
	var doc struct {
		Apps []map[string]any `json:"apps"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return doc.Apps
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustEncode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// TestSeedGroupsAreAcceptedVerbatim follows Marathon facts 5: the documents as
// they are, two apps with service port 10000, the database first.
func TestSeedGroupsAreAcceptedVerbatim(t *testing.T) {
	t.Parallel()
	for _, generation := range recorded(t, "testdata/seeds/v*-groups.json") {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Unserved: true, Speed: 3000, LaunchDelay: -1})
			for _, document := range []string{marathonsim.KeysAndValues(), marathonsim.WordPress()} {
				r, body := send(t, "POST", c.Masters()[0]+"/v2/groups", document, "Content-Type", "application/json")
				if r.StatusCode != http.StatusCreated || r.Header.Get("Location") == "" {
					t.Fatalf("status %d, location %q: %s", r.StatusCode, r.Header.Get("Location"), body)
				}
				want, err := os.ReadFile("testdata/seeds/post-groups-response-201.json")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(shapeOf(t, string(want)), shapeOf(t, body)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				simtest.Idle(t, c)
			}
			r, body := send(t, "POST", c.Masters()[0]+"/v2/groups", marathonsim.KeysAndValues())
			if want := `{"message":"Group /keys-and-values is already created. Use PUT to change this group."}`; r.StatusCode != http.StatusConflict || body != want {
				t.Errorf("posted again: status %d, %s", r.StatusCode, body)
			}

			_, body = get(t, c.Masters()[0]+"/v2/apps?embed=apps.tasks&embed=apps.deployments")
			want, got := readApps(t, "testdata/seeds/v"+string(generation)+"-apps-running.json"), decodeApps(t, body)
			byID := func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) }
			slices.SortFunc(want, byID)
			slices.SortFunc(got, byID)
			for i := range want {
				compareApp(t, want[i], got[i])
			}

			_, body = get(t, c.Masters()[0]+"/v2/groups")
			file, err := os.ReadFile("testdata/seeds/v" + string(generation) + "-groups.json")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(shapeOf(t, string(file)), shapeOf(t, body)); diff != "" {
				t.Errorf("groups (-want +got)\n%s", diff)
			}
		})
	}
}

func shapeOf(t *testing.T, document string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatalf("%v in %q", err, document)
	}
	return shape(v)
}

// TestTasksListCarriesServicePorts compares /v2/tasks, the only place with them.
func TestTasksListCarriesServicePorts(t *testing.T) {
	t.Parallel()
	for _, generation := range recorded(t, "testdata/v*-tasks.json") {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Unserved: true, Speed: 3000})
			simtest.Deploy(t, c, marathonsim.KeysAndValues())
			simtest.Running(t, c, "/keys-and-values/app", 3)
			_, body := get(t, c.Masters()[0]+"/v2/tasks", "Accept", "application/json")
			file, err := os.ReadFile("testdata/v" + string(generation) + "-tasks.json")
			if err != nil {
				t.Fatal(err)
			}
			want, got := shapeOf(t, string(file)).(map[string]any), shapeOf(t, body).(map[string]any)
			if diff := cmp.Diff(want["tasks"].([]any)[0], got["tasks"].([]any)[0]); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			_, text := get(t, c.Masters()[0]+"/v2/tasks", "Accept", "text/plain")
			if first, _, _ := strings.Cut(text, "\n"); !strings.HasPrefix(first, "keys-and-values_app\t10000\t127.") || strings.Count(first, "\t") != 5 {
				t.Errorf("text form: %q", text)
			}
		})
	}
}
