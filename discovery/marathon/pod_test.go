package marathon_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// readPods decodes a document below testdata/pods.
func readPods(t *testing.T, name string) []marathon.App {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "pods", name))
	if err != nil {
		t.Fatal(err)
	}
	return decodePods(t, string(text))
}

func decodePods(t *testing.T, text string) []marathon.App {
	t.Helper()
	pods, err := marathon.DecodePods(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return pods
}

// podAgents are the agents of the sample documents.
func podAgents() hosts {
	return hosts{"agent-1.example.com": "10.0.1.11", "agent-2.example.com": "10.0.1.12"}
}

func derivePods(t *testing.T, opts marathon.Options, pods []marathon.App) discovery.Snapshot {
	t.Helper()
	return snapshot(t, marathon.NewDeriver(opts, podAgents(), zap.NewNop()), pods...)
}

// TestPodsOfEveryNetworkModeAndStatus: host ports are reached at the agent, others in the
// container network; instances that are not stable are served where an endpoint is
// healthy.
func TestPodsOfEveryNetworkModeAndStatus(t *testing.T) {
	t.Parallel()
	routesOf := func(more ...string) []string {
		return append([]string{}, append(more,
			"/pods/coming-up#0:0 ->",
			"/pods/coming-up#1:0 ->",
			"/pods/degraded#0:0 -> 10.0.1.11:31920",
			"/pods/degraded#1:0 -> 9.0.1.162:9102",
			"/pods/going-away#0:0 ->",
			"/pods/going-away#1:0 ->",
			"/pods/on-host#0:0 -> 10.0.1.13:31910",
			"/pods/on-host#1:0 -> 10.0.1.13:31911",
			"/pods/overlay#0:0 -> 10.0.1.11:31900 10.0.1.12:31901",
			"/pods/overlay#1:0 -> 9.0.1.160:9102 9.0.2.160:9102",
			"/pods/overlay-no-host-port#0:0 -> 9.0.1.161:8080",
			"/pods/overlay-no-host-port#1:0 -> 9.0.1.161:9102")...)
	}
	want := map[string][]string{
		"v1.4-pods-status.json": routesOf(),
		"v1.9-pods-status.json": routesOf("/pods/bridged#0:0 -> 10.0.1.12:31950", "/pods/bridged#1:0 ->"),
	}
	for name, routesWanted := range want {
		for _, healthCheck := range []bool{false, true} {
			opts := external()
			opts.HealthCheck = healthCheck
			got := derivePods(t, opts, readPods(t, name))
			if diff := cmp.Diff(routesWanted, routes(got)); diff != "" {
				t.Errorf("%s: routes (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff([]string{}, reasons(got)); diff != "" {
				t.Errorf("%s: problems (-want +got):\n%s", name, diff)
			}
		}
	}
}

// TestPodEndpointsAreNamedServices: hosts, check and task ID of an endpoint are its own.
func TestPodEndpointsAreNamedServices(t *testing.T) {
	t.Parallel()
	for _, s := range derivePods(t, external(), readPods(t, "v1.9-pods-status.json")).Services {
		if s.App != "/pods/overlay" {
			continue
		}
		web := s.PortIndex == 0
		want := map[bool]string{true: "http", false: "metrics"}[web]
		if s.PortName != want || s.ServicePort != 0 {
			t.Errorf("port %d %q, want 0 and %q", s.ServicePort, s.PortName, want)
		}
		if got := s.HealthCheck.Exists(); got != web {
			t.Errorf("%s has a check: %v", want, got)
		}
		if !web {
			continue
		}
		if diff := cmp.Diff([]string{"pods.example.com"}, s.Hosts); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
		h := s.HealthCheck
		h.JSON = ""
		if diff := cmp.Diff(discovery.HealthCheck{
			Protocol: "MESOS_HTTP", Path: "/healthz",
			GracePeriodSeconds: 30, IntervalSeconds: 10, TimeoutSeconds: 5, MaxConsecutiveFailures: 3,
		}, h); diff != "" {
			t.Errorf("check (-want +got):\n%s", diff)
		}
		if got := s.Endpoints[0].Task; got != "pods_overlay.instance-5ce1a1d9-7629-11e9-8f5a-0242ac110003.web.1" {
			t.Errorf("task %q is not the container's", got)
		}
	}
}

// onePod is a pod on the agents' ports with two endpoints; %INSTANCES% and %LABELS% are
// to be replaced.
const onePod = `[{"id": "/p", "spec": {"labels": {"HAPROXY_GROUP": "external"%LABELS%}, "networks": [{"mode": "host"}],
	"containers": [
		{"name": "web", "endpoints": [{"name": "http", "hostPort": 0}, {"name": "admin", "hostPort": 0}],
		 "healthCheck": {"http": {"endpoint": "http"}}},
		{"name": "side", "endpoints": [{"name": "metrics", "hostPort": 0}]}]},
	"instances": [%INSTANCES%]}]`

// podOf returns the pod with labels, each with a comma before it, and instances.
func podOf(t *testing.T, labels, instances string) []marathon.App {
	t.Helper()
	return decodePods(t, strings.NewReplacer("%LABELS%", labels, "%INSTANCES%", instances).Replace(onePod))
}

// instance is an instance whose endpoint http has a health, with a comma before it, or
// none.
func instance(status, health string) string {
	return `{"id": "p.instance-1", "status": "` + status + `", "agentHostname": "10.0.0.1", "containers": [
		{"name": "web", "status": "TASK_RUNNING", "containerId": "p.instance-1.web",
		 "endpoints": [{"name": "http", "allocatedHostPort": 31001` + health + `}, {"name": "admin", "allocatedHostPort": 31002}]},
		{"name": "side", "status": "TASK_RUNNING", "containerId": "p.instance-1.side",
		 "endpoints": [{"name": "metrics", "allocatedHostPort": 31003}]}]}`
}

// TestPodHealth goes through statuses and verdicts. With --health-check a verdict on an
// endpoint with a check is remembered, and unknown is not unhealthy.
func TestPodHealth(t *testing.T) {
	t.Parallel()
	const good, bad, unknown = `, "healthy": true`, `, "healthy": false`, ""
	all, none, http := []int{31001, 31002, 31003}, []int{}, []int{31001}
	tests := map[string]struct {
		flag      bool
		instances []string // one look after the other; the last counts
		want      []int
	}{
		"stable serves all":                                  {false, []string{instance("STABLE", good)}, all},
		"stable serves all, with the flag too":               {true, []string{instance("STABLE", good)}, all},
		"stable is believed where nothing was said":          {true, []string{instance("STABLE", unknown)}, all},
		"degraded serves what is healthy":                    {false, []string{instance("DEGRADED", good)}, http},
		"degraded serves what is healthy, with the flag too": {true, []string{instance("DEGRADED", good)}, http},
		"degraded and unhealthy serves nothing":              {false, []string{instance("DEGRADED", bad)}, none},
		"a new instance waits for its first verdict":         {true, []string{instance("DEGRADED", unknown)}, none},
		"unknown is not unhealthy":                           {true, []string{instance("STABLE", good), instance("DEGRADED", unknown)}, http},
		"unknown is not healthy":                             {true, []string{instance("DEGRADED", bad), instance("DEGRADED", unknown)}, none},
		"the last verdict counts":                            {true, []string{instance("DEGRADED", bad), instance("DEGRADED", good), instance("DEGRADED", unknown)}, http},
		"without the flag nothing is remembered":             {false, []string{instance("STABLE", good), instance("DEGRADED", unknown)}, none},
		"pending":                                            {false, []string{instance("PENDING", unknown)}, none},
		"staging":                                            {false, []string{instance("STAGING", unknown)}, none},
		"terminal":                                           {false, []string{instance("TERMINAL", good)}, none},
		"an unknown status is degraded":                      {false, []string{instance("SPLENDID", good)}, http},
		"a container that ends":                              {false, []string{strings.Replace(instance("STABLE", good), "TASK_RUNNING", "TASK_KILLING", 1)}, []int{31003}},
		"no status":                                          {false, []string{instance("", unknown)}, none},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := external()
			opts.HealthCheck = tt.flag
			d := marathon.NewDeriver(opts, agents(), zap.NewNop())
			var s discovery.Snapshot
			for _, i := range tt.instances {
				s = snapshot(t, d, podOf(t, "", i)...)
			}
			got := []int{}
			for _, v := range s.Services {
				for _, e := range v.Endpoints {
					got = append(got, e.Port)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPodsOfOlderVersionsArePairedByName: places in another version do not matter.
func TestPodsOfOlderVersionsArePairedByName(t *testing.T) {
	t.Parallel()
	old := `{"id": "p.instance-0", "status": "STABLE", "agentHostname": "10.0.0.1", "specReference": "/v2/pods/p::versions/1", "containers": [
		{"name": "side", "containerId": "p.instance-0.side", "endpoints": [{"name": "gone", "allocatedHostPort": 31001}, {"name": "metrics", "allocatedHostPort": 31002}]},
		{"name": "web", "containerId": "p.instance-0.web", "endpoints": [{"name": "http", "allocatedHostPort": 31003}]}]}`
	got := derivePods(t, external(), podOf(t, "", old+",null"))
	want := []string{"/p#0:0 -> 10.0.0.1:31003", "/p#1:0 ->", "/p#2:0 -> 10.0.0.1:31002"}
	if diff := cmp.Diff(want, routes(got)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if len(got.Problems) > 0 {
		t.Errorf("problems %+v", got.Problems)
	}
}

// TestPodLabels: labels count endpoints over all containers.
func TestPodLabels(t *testing.T) {
	t.Parallel()
	got := derivePods(t, external(), podOf(t, `, "HAPROXY_2_PORT": "10080", "HAPROXY_1_ENABLED": "no", "HAPROXY_3_VHOST": "a.example.com"`,
		instance("STABLE", "")))
	if diff := cmp.Diff([]string{"/p#2:10080 -> 10.0.0.1:31003", "/p#0:0 -> 10.0.0.1:31001"}, routes(got)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/p#3 HAPROXY_3_VHOST: label of a missing port"}, reasons(got)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if s := got.Services[0]; s.PortName != "" {
		t.Errorf("a service with a port has the name %q too", s.PortName)
	}
	got = derivePods(t, external(), podOf(t, `, "HAPROXY_2_BACKEND_HEALTHCHECK_PORT_INDEX": "0"`, instance("STABLE", "")))
	if s := got.Services[2]; !s.CheckPortFrom || s.Endpoints[0].CheckPort != 31001 {
		t.Errorf("%+v is not probed at the port of endpoint 0", s)
	}
}

// TestOddPodsCostThemselves: each is one problem, and the pod beside it is served.
func TestOddPodsCostThemselves(t *testing.T) {
	t.Parallel()
	const sound = `{"id": "/z", "spec": {"labels": {"HAPROXY_GROUP": "external"}, "containers": [{"endpoints": [{"name": "http"}]}]},
		"instances": [{"id": "z.instance-1", "status": "STABLE", "agentHostname": "10.0.0.1", "containers": [
			{"containerId": "z.instance-1.c", "endpoints": [{"name": "http", "allocatedHostPort": 31001}]}]}]}`
	const labels = `"labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "a.example.com"}`
	one := func(containers, instances string) string {
		return `{"id": "/p", "spec": {` + labels + `, "containers": ` + containers + `}, "instances": ` + instances + `}`
	}
	at := func(mode, status, host, container, networks, port string) string {
		return `{"id": "/p", "spec": {` + labels + `, "networks": [{"mode": "` + mode + `"}], "containers": [{"endpoints": [{"name": "h", "containerPort": 80}]}]},
			"instances": [{"id": "i", "status": "` + status + `", "agentHostname": ` + host + `, "networks": ` + networks + `, "containers": [
				{"containerId": "` + container + `", "endpoints": [{"name": "h"` + port + `}]}]}]}`
	}
	for name, tt := range map[string]struct{ pod, reason string }{
		"null":                          {`null`, "#-1: bad app ID"},
		"a number":                      {`7`, "#-1: unreadable app"},
		"containers of another type":    {one(`{}`, `[]`), "/p#-1: unreadable app"},
		"a label of another type":       {`{"id": "/p", "spec": {"labels": {"HAPROXY_0_PORT": 7}}}`, "/p#-1: unreadable app"},
		"a port of another type":        {one(`[{"endpoints": [{"name": "h", "containerPort": "80"}]}]`, `[]`), "/p#-1: unreadable app"},
		"an instance of another type":   {one(`[]`, `[7]`), "/p#-1: unreadable app"},
		"a check of another type":       {one(`[{"healthCheck": 7}]`, `[]`), "/p#-1: unreadable app"},
		"a name that is none":           {one(`[{"endpoints": [{"name": "a b"}]}]`, `[]`), "/p#-1: unreadable app"},
		"no name":                       {one(`[{"endpoints": [{}]}]`, `[]`), "/p#-1: unreadable app"},
		"a name with a line break":      {one(`[{"endpoints": [{"name": "a\nserver x"}]}]`, `[]`), "/p#-1: unreadable app"},
		"a name twice":                  {one(`[{"endpoints": [{"name": "a"}]}, {"endpoints": [{"name": "a"}]}]`, `[]`), "/p#-1: unreadable app"},
		"an ID that is none":            {`{"id": "p"}`, "p#-1: bad app ID"},
		"the ID of another":             {`{"id": "/z"}`, "/z#-1: repeated app"},
		"no host":                       {at("host", "STABLE", `null`, "c", `[]`, `, "allocatedHostPort": 31001`), "/p#-1: bad task"},
		"a host without address":        {at("host", "STABLE", `"nowhere"`, "c", `[]`, `, "allocatedHostPort": 31001`), "/p#-1: host name does not resolve"},
		"a container without usable ID": {at("host", "STABLE", `"10.0.0.1"`, `\n`, `[]`, `, "allocatedHostPort": 31001`), "/p#-1: bad task"},
		"a port that is none":           {at("host", "STABLE", `"10.0.0.1"`, "c", `[]`, `, "allocatedHostPort": 70000`), "/p#-1: bad task port"},
		"no port in host mode":          {at("host", "STABLE", `"10.0.0.1"`, "c", `[]`, ``), "/p#-1: task without address"},
		"no host port on a bridge":      {at("container/bridge", "STABLE", `"10.0.0.1"`, "c", `[{"addresses": ["172.17.0.2"]}]`, ``), "/p#-1: task without address"},
		"an address that is none":       {at("container", "STABLE", `"10.0.0.1"`, "c", `[{"addresses": ["nine"]}]`, ``), "/p#-1: task without address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pods := `[` + sound + `,` + tt.pod + `]`
			got := derivePods(t, external(), decodePods(t, pods))
			if diff := cmp.Diff([]string{tt.reason}, reasons(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			served := false
			for _, r := range routes(got) {
				served = served || r == "/z#0:0 -> 10.0.0.1:31001"
			}
			if !served {
				t.Errorf("the sound pod is not served: %v", routes(got))
			}
		})
	}
}

// TestPodNetworksAreChosenByName: an endpoint that names a network is reached there.
func TestPodNetworksAreChosenByName(t *testing.T) {
	t.Parallel()
	const pod = `[{"id": "/p", "spec": {"labels": {"HAPROXY_GROUP": "external"}, "networks": [{"mode": "container", "name": "a"}, {"mode": "container", "name": "b"}],
		"containers": [{"endpoints": [{"name": "one", "containerPort": 81, "networkNames": ["b"]}, {"name": "two", "containerPort": 82}]}]},
		"instances": [{"id": "i", "status": "STABLE", "agentHostname": "nowhere.example.com",
			"networks": [{"name": "a", "addresses": ["", "9.0.0.1", "9.0.0.2"]}, {"name": "b", "addresses": ["fd00::1"]}],
			"containers": [{"containerId": "c", "endpoints": [{"name": "one"}, {"name": "two"}]}]}]}]`
	got := derivePods(t, external(), decodePods(t, pod))
	if diff := cmp.Diff([]string{"/p#0:0 -> [fd00::1]:81", "/p#1:0 -> 9.0.0.1:82"}, routes(got)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

// TestPodsInDeploymentGroups: two pods of a group are one, as apps are.
func TestPodsInDeploymentGroups(t *testing.T) {
	t.Parallel()
	blue := podOf(t, `, "HAPROXY_DEPLOYMENT_GROUP": "shop", "HAPROXY_DEPLOYMENT_STARTED_AT": "2026-01-01T00:00:00", "HAPROXY_0_PORT": "10080"`, instance("STABLE", ""))
	green := podOf(t, `, "HAPROXY_DEPLOYMENT_GROUP": "shop", "HAPROXY_DEPLOYMENT_STARTED_AT": "2026-01-02T00:00:00", "HAPROXY_0_PORT": "10080"`,
		strings.NewReplacer("p.instance-1", "q.instance-1", "3100", "3200").Replace(instance("STABLE", `, "healthy": true`)))
	green[0].ID = "/q"
	blue[0].Instances, green[0].Instances = 1, 1
	got := derivePods(t, external(), append(blue, green...))
	want := []string{
		"/shop#0:10080 -> 10.0.0.1:31001 10.0.0.1:32001", "/shop#1:0 -> 10.0.0.1:31002 10.0.0.1:32002",
		"/shop#2:0 -> 10.0.0.1:31003 10.0.0.1:32003",
	}
	if diff := cmp.Diff(want, routes(got)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	for _, s := range got.Services {
		if s.Endpoints[0].State != discovery.Draining || s.Endpoints[1].State != discovery.Ready {
			t.Errorf("%s: states %s and %s; the healthy new instance replaces the old one", s.PortName, s.Endpoints[0].State, s.Endpoints[1].State)
		}
	}
}

func TestDecodePodsRefusesWhatIsNoList(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "{}", `{"message": "no"}`, "[", "[{}", "[] []", `[{"id": "/a"}, {`, "[,]"} {
		if pods, err := marathon.DecodePods(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read as %+v", text, pods)
		}
	}
	if pods := decodePods(t, " [] "); pods == nil || len(pods) != 0 {
		t.Errorf("an empty list is read as %#v", pods)
	}
}

// FuzzPods: whatever the document is, decoding and deriving end without a panic, and
// nothing is served at what is no address, no port or under what is no name.
func FuzzPods(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "pods", "v1.9-single-pod-status.json"))
	if err != nil {
		f.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("[" + compact.String() + "]"))
	f.Add([]byte(strings.NewReplacer("%LABELS%", "", "%INSTANCES%", instance("DEGRADED", "")).Replace(onePod)))
	f.Fuzz(func(t *testing.T, text []byte) {
		pods, err := marathon.DecodePods(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, flag := range []bool{false, true} {
			opts := everything()
			opts.HealthCheck = flag
			for _, s := range derivePods(t, opts, pods).Services {
				if s.ServicePort == 0 && strings.ContainsAny(s.PortName, " \n/\"'#\\") {
					t.Errorf("name %q", s.PortName)
				}
				for _, e := range s.Endpoints {
					if !e.Address.IsValid() || e.Port < 1 || e.Port > 65535 || e.Task == "" {
						t.Errorf("endpoint %+v", e)
					}
				}
			}
		}
	})
}
