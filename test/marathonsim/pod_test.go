package marathonsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// decodeList decodes a document whose outermost value is a list of objects.
func decodeList(t *testing.T, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return list
}

func deployPod(t *testing.T, c *marathonsim.Cluster, document string) {
	t.Helper()
	if err := c.DeployPod(document); err != nil {
		t.Fatal(err)
	}
}

// podStatus returns the live view of a pod.
func podStatus(t *testing.T, c *marathonsim.Cluster, id string) map[string]any {
	t.Helper()
	r, body := get(t, c.Masters()[0]+"/v2/pods"+id+"::status")
	if r.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", r.StatusCode, body)
	}
	return decodeList(t, "["+body+"]")[0]
}

// TestPodsHaveTheShapeOfTheGeneration posts the definitions of recorded answers and
// compares what comes back: of definitions every value, of instances which keys there
// are and of what type.
func TestPodsHaveTheShapeOfTheGeneration(t *testing.T) {
	t.Parallel()
	for file, generation := range map[string]marathonsim.Generation{
		"testdata/pods/v1.4-pods-status.json": marathonsim.V1_4, "testdata/pods/v1.9-pods-status.json": marathonsim.V1_9,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Unserved: true, Speed: 3000})
			compared := 0
			for _, want := range decodeList(t, string(text)) {
				spec := want["spec"].(map[string]any)
				id, n := spec["id"].(string), int(spec["scaling"].(map[string]any)["instances"].(float64))
				posted := map[string]any{}
				for _, name := range []string{"id", "labels", "containers", "networks", "scaling"} {
					posted[name] = spec[name]
				}
				deployPod(t, c, string(encode(t, posted)))
				simtest.Running(t, c, id, n)
				got := podStatus(t, c, id)
				gotSpec := got["spec"].(map[string]any)
				gotSpec["version"] = spec["version"]
				if diff := cmp.Diff(spec, gotSpec); diff != "" {
					t.Errorf("%s: definition (-want +got)\n%s", id, diff)
				}
				if want["status"] != "STABLE" {
					continue // others do not come about by posting
				}
				compared++
				delete(want, "spec")
				delete(got, "spec")
				if diff := cmp.Diff(shape(want), shape(got)); diff != "" {
					t.Errorf("%s (-want +got)\n%s", id, diff)
				}
				if got["status"] != "STABLE" {
					t.Errorf("%s is %v", id, got["status"])
				}
			}
			if compared < 3 {
				t.Errorf("only %d pods were compared", compared)
			}
		})
	}
}

// Two containers, of which the first has a check, and the endpoint of the second no
// host port.
const pod = `{"id": "/p", "labels": {"a": "b"}, "scaling": {"kind": "fixed", "instances": %d}, "networks": [%s], "containers": [
	{"name": "web", "exec": {"command": {"shell": "serve"}}, "endpoints": [{"name": "http", "hostPort": 0, "containerPort": 8080}],
	 "healthCheck": {"http": {"endpoint": "http", "path": "/"}, "intervalSeconds": 1, "gracePeriodSeconds": 0, "maxConsecutiveFailures": 1000}},
	{"name": "side", "endpoints": [{"name": "metrics", "containerPort": 9102}]}]}`

const (
	overlay = `{"mode": "container", "name": "dcos"}`
	onHost  = `{"mode": "host"}`
	bridged = `{"mode": "container/bridge"}`
)

// TestPodInstancesListen: what the live view says is where an instance is reached.
func TestPodInstancesListen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		network      string
		metrics, own bool // endpoint metrics has a host port; is reached at the instance's address
	}{
		"host":      {onHost, true, false},
		"bridge":    {bridged, false, false},
		"container": {overlay, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Speed: 100})
			deployPod(t, c, fmt.Sprintf(pod, 2, tt.network))
			simtest.Running(t, c, "/p", 2)
			instances := podStatus(t, c, "/p")["instances"].([]any)
			for _, i := range instances {
				i := i.(map[string]any)
				endpoint := func(k int) map[string]any {
					return i["containers"].([]any)[k].(map[string]any)["endpoints"].([]any)[0].(map[string]any)
				}
				address := i["networks"].([]any)[0].(map[string]any)["addresses"].([]any)[0].(string)
				if endpoint(0)["healthy"] != true {
					t.Errorf("http: %v, want healthy", endpoint(0))
				}
				if _, known := endpoint(1)["healthy"]; known {
					t.Errorf("metrics has a verdict without a check: %v", endpoint(1))
				}
				reached := []string{fmt.Sprintf("%s:%v", i["agentHostname"], endpoint(0)["allocatedHostPort"])}
				if _, has := endpoint(1)["allocatedHostPort"]; has != tt.metrics {
					t.Errorf("metrics: %v, want a host port: %v", endpoint(1), tt.metrics)
				}
				if tt.own {
					reached = append(reached, address+":9102")
				}
				for _, at := range reached {
					if r, _ := get(t, "http://"+at+"/"); !strings.HasPrefix(r.Header.Get("X-Task"), "p.instance-") {
						t.Errorf("%s answers for %q", at, r.Header.Get("X-Task"))
					}
				}
			}
		})
	}
}

// TestPodsGoThroughTheirLife: created, degraded, scaled, updated, deleted; with the
// events of pods and none of apps.
func TestPodsGoThroughTheirLife(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Speed: 100})
	f := follow(t, c, "")
	f.awaitKind(t, "event_stream_attached", 1)
	master := c.Masters()[0]
	r, body := send(t, http.MethodPost, master+"/v2/pods", fmt.Sprintf(pod, 1, overlay))
	if r.StatusCode != http.StatusCreated || r.Header.Get("Location") != master+"/v2/pods/p" || r.Header.Get("Marathon-Deployment-Id") == "" {
		t.Fatalf("status %d, %v: %s", r.StatusCode, r.Header, body)
	}
	one := simtest.Running(t, c, "/p", 1)[0]
	for read := podStatus(t, c, "/p")["lastUpdated"]; podStatus(t, c, "/p")["lastUpdated"] == read; { // it moves with each reading
		continue
	}
	if err := c.FailTask(one.ID); err != nil {
		t.Fatal(err)
	}
	simtest.Wait(t, c, "the failing check", func() bool { return !*c.Tasks("/p")[0].Healthy })
	if got := podStatus(t, c, "/p"); got["status"] != "DEGRADED" || got["instances"].([]any)[0].(map[string]any)["status"] != "DEGRADED" {
		t.Errorf("a pod whose check fails is %v", got["status"])
	}
	if err := c.RecoverTask(one.ID); err != nil {
		t.Fatal(err)
	}
	simtest.Running(t, c, "/p", 1)
	if r, _ = send(t, http.MethodPut, master+"/v2/pods/p", fmt.Sprintf(pod, 2, overlay)); r.StatusCode != http.StatusOK {
		t.Fatalf("scaling: status %d", r.StatusCode)
	}
	if two := simtest.Running(t, c, "/p", 2); two[0].ID != one.ID {
		t.Error("scaling replaced the instance")
	}
	if r, _ = send(t, http.MethodPut, master+"/v2/pods/p", strings.Replace(fmt.Sprintf(pod, 2, overlay), `"a": "b"`, `"a": "c"`, 1)); r.StatusCode != http.StatusOK {
		t.Fatalf("updating: status %d", r.StatusCode)
	}
	if two := simtest.Running(t, c, "/p", 2); slices.ContainsFunc(two, func(i marathonsim.TaskInfo) bool { return i.ID == one.ID }) {
		t.Error("another label did not replace the instances")
	}
	if _, body = get(t, master+"/v2/pods/p::versions"); strings.Count(body, "Z") != 3 {
		t.Errorf("versions %s, want three", body)
	}
	if r, _ = send(t, http.MethodDelete, master+"/v2/pods/p", ""); r.StatusCode != http.StatusAccepted {
		t.Fatalf("deleting: status %d", r.StatusCode)
	}
	if r, body = get(t, master+"/v2/pods/p::status"); r.StatusCode != http.StatusNotFound {
		t.Errorf("status %d of a deleted pod: %s", r.StatusCode, body)
	}
	simtest.Running(t, c, "/p", 0)
	f.awaitKind(t, "app_terminated_event", 1)
	for kind, n := range map[string]int{"pod_created_event": 1, "pod_updated_event": 2, "pod_deleted_event": 1} {
		f.awaitKind(t, kind, n)
	}
	kinds, data := f.events()
	for i, kind := range kinds {
		switch kind {
		case "api_post_event", "health_status_changed_event", "failed_health_check_event", "add_health_check_event", "remove_health_check_event":
			t.Errorf("%s about a pod: %s", kind, data[i])
		case "pod_created_event", "pod_updated_event", "pod_deleted_event":
			if strings.Contains(strings.ReplaceAll(data[i], `"uri":"/v2/pods/p"`, ""), `/p"`) {
				t.Errorf("%s names the pod: %s", kind, data[i])
			}
		case "deployment_info":
			if !strings.Contains(data[i], `"pod":"/p"`) || strings.Contains(data[i], `"app":`) || !strings.Contains(data[i], `Pod"`) {
				t.Errorf("%s: %s", kind, data[i])
			}
		case "status_update_event":
			if !strings.Contains(data[i], ".web.1") && !strings.Contains(data[i], ".side.1") {
				t.Errorf("%s is not about a container: %s", kind, data[i])
			}
		}
	}
}

// TestPodsAreNoApps: they show in no list of apps or tasks, and no app or pod takes the
// ID of the other kind.
func TestPodsAreNoApps(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Speed: 100})
	deployPod(t, c, fmt.Sprintf(pod, 1, onHost))
	simtest.Deploy(t, c, `{"id": "/a", "cmd": "serve"}`)
	simtest.Running(t, c, "/p", 1)
	simtest.Running(t, c, "/a", 1)
	master := c.Masters()[0]
	for _, path := range []string{"/v2/apps", "/v2/apps?embed=apps.tasks", "/v2/tasks", "/v2/apps//*"} {
		if _, body := get(t, master+path, "Accept", "application/json"); strings.Contains(body, `"/p"`) || !strings.Contains(body, `"/a"`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if _, body := get(t, master+"/v2/groups"); !strings.Contains(body, `"pods":[{"id":"/p"`) {
		t.Errorf("the root group has no pod: %s", body)
	}
	if r, _ := send(t, http.MethodHead, master+"/v2/pods", ""); r.StatusCode != http.StatusOK {
		t.Errorf("HEAD: status %d", r.StatusCode)
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, "/v2/apps/p", "", http.StatusNotFound},
		{http.MethodDelete, "/v2/apps/p", "", http.StatusNotFound},
		{http.MethodPut, "/v2/apps/p", `{"cmd": "serve"}`, http.StatusConflict},
		{http.MethodPost, "/v2/apps", `{"id": "/p", "cmd": "serve"}`, http.StatusConflict},
		{http.MethodGet, "/v2/pods/a", "", http.StatusNotFound},
		{http.MethodGet, "/v2/pods/a::status", "", http.StatusNotFound},
		{http.MethodPost, "/v2/pods", strings.Replace(fmt.Sprintf(pod, 1, onHost), `"/p"`, `"/a"`, 1), http.StatusConflict},
		{http.MethodPost, "/v2/pods", fmt.Sprintf(pod, 1, onHost), http.StatusConflict},
		{http.MethodPut, "/v2/pods/q", strings.Replace(fmt.Sprintf(pod, 1, onHost), `"/p"`, `"/q"`, 1), http.StatusNotFound},
		{http.MethodPost, "/v2/pods", `{"id": "/q", "containers": []}`, http.StatusUnprocessableEntity},
	} {
		if r, body := send(t, tt.method, master+tt.path, tt.body); r.StatusCode != tt.status {
			t.Errorf("%s %s: status %d, want %d: %s", tt.method, tt.path, r.StatusCode, tt.status, body)
		}
	}
}
