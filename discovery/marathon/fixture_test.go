package marathon_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// readApps decodes a document below testdata.
func readApps(t *testing.T, path string) []marathon.App {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	apps, err := marathon.DecodeApps(f)
	if err != nil {
		t.Fatal(err)
	}
	return apps
}

// documents lists the JSON documents in a folder of testdata.
func documents(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents in %s: %v", folder, err)
	}
	return files
}

// networkModeRoutes says, for each kind of document in testdata/apps, where its
// apps are reached. It is the same in every generation that has the kind.
func networkModeRoutes() map[string][]string {
	return map[string][]string{
		"host": {
			"/net/host-dynamic#0:10001 -> 10.0.1.11:31234 10.0.1.12:31890",
			"/net/host-dynamic#1:10002 -> 10.0.1.11:31235 10.0.1.12:31891",
			"/net/host-required#0:8080 -> 10.0.1.13:8080",
			"/net/suspended#0:10003 ->",
		},
		"docker-host": {"/net/docker-host#0:10020 -> 10.0.1.12:31777"},
		"bridge": {
			"/net/bridge#1:8443 -> 10.0.1.11:31401 10.0.1.11:31501",
			"/net/bridge#0:10010 -> 10.0.1.11:31400 10.0.1.11:31500",
			"/net/bridge#2:10012 -> 10.0.1.11:31402 10.0.1.11:31502",
			"/net/bridge-fixed-host-port#0:10013 -> 10.0.1.12:31999",
		},
		"bridge-container-port-zero": {"/net/container-port-zero#0:10070 -> 10.0.1.11:31810"},
		"ip-per-task": {
			"/net/ip-per-task#0:10054 -> 192.168.64.10:8080 192.168.64.11:8080",
			"/net/ip-per-task#1:10060 -> 192.168.64.10:9090 192.168.64.11:9090",
		},
		"user":      overlayRoutes(),
		"container": overlayRoutes(),
		"container-multi-network": {
			"/net/two-networks#0:10050 -> 10.20.0.5:8080",
			"/net/two-networks#1:10051 -> 10.20.0.5:9090",
			"/net/two-networks#2:10052 -> 10.20.0.5:7070",
		},
		"mesos-containerizer": {
			"/net/ucr-bridge#0:10040 -> 10.0.1.11:31700",
			"/net/ucr-container#0:10041 -> 9.0.2.140:80",
		},
		"dual-stack": {"/net/dual-stack#0:10060 -> 9.0.1.150:8080"},
		"duplicate-service-ports": {
			"/dup/one#0:10200 -> 10.0.1.11:32200",
			"/dup/two#0:10200 -> 10.0.1.12:32201",
		},
		"nested-ids": {
			"/a-b#0:10222 ->", "/a.b#0:10220 ->", "/a/b#0:10221 ->", "/a/b-c#0:10224 ->", "/a/b.c#0:10223 ->",
			"/prod/eu.west/shop/web-v2#0:10226 ->", "/prod/eu.west/shop/web.v2#0:10225 ->",
			"/restart-me#0:10227 ->", "/x1/y2/z3/w4/v5/u6/t7#0:10228 ->",
		},
		"no-embed":   {"/net/host-dynamic#0:10001 ->"},
		"odd-labels": {"/odd/labels#0:10210 -> 10.0.1.11:32210"},
		"health-check-protocols": {
			"/hc/command#0:10103 -> 10.0.1.11:32006", "/hc/command#1:10123 -> 10.0.1.11:32007",
			"/hc/fixed-port#0:10140 -> 10.0.1.12:32100",
			"/hc/http#0:10100 -> 10.0.1.11:32000", "/hc/http#1:10120 -> 10.0.1.11:32001",
			"/hc/https#0:10101 -> 10.0.1.11:32002", "/hc/https#1:10121 -> 10.0.1.11:32003",
			"/hc/mesos-http#0:10104 -> 10.0.1.11:32008", "/hc/mesos-http#1:10124 -> 10.0.1.11:32009",
			"/hc/mesos-https#0:10105 -> 10.0.1.11:32010", "/hc/mesos-https#1:10125 -> 10.0.1.11:32011",
			"/hc/mesos-tcp#0:10106 -> 10.0.1.11:32012", "/hc/mesos-tcp#1:10126 -> 10.0.1.11:32013",
			"/hc/tcp#0:10102 -> 10.0.1.11:32004", "/hc/tcp#1:10122 -> 10.0.1.11:32005",
			"/hc/two-checks-one-failing#0:10141 -> 10.0.1.12:32110",
			"/hc/two-checks-one-failing#1:10142 -> 10.0.1.12:32111",
		},
	}
}

// overlayRoutes is said by USER up to Marathon 1.4 and by container from 1.5 on.
// A mapping with a host port does not change where an overlay task is reached.
func overlayRoutes() []string {
	return []string{
		"/net/overlay-mixed#0:10032 -> 9.0.1.131:8080",
		"/net/overlay-mixed#1:10033 -> 9.0.1.131:9090",
		"/net/overlay-no-host-port#0:10030 -> 9.0.1.130:8080 9.0.2.130:8080",
		"/net/overlay-no-host-port#1:10031 -> 9.0.1.130:9090 9.0.2.130:9090",
	}
}

// TestEveryNetworkModeOfEveryGeneration goes through the sample answers; a
// document without an expectation fails.
func TestEveryNetworkModeOfEveryGeneration(t *testing.T) {
	t.Parallel()
	elsewhere := regexp.MustCompile(`^(empty|v[0-9.]+-(single-app|group-star))\.json$`) // see TestDecode…
	generation := regexp.MustCompile(`^v[0-9]+\.[0-9]+-(.*)\.json$`)
	used := map[string]bool{}
	want := networkModeRoutes()
	for _, file := range documents(t, "apps") {
		name := filepath.Base(file)
		if elsewhere.MatchString(name) {
			continue
		}
		kind := generation.FindStringSubmatch(name)[1]
		used[kind] = true
		got := derive(t, everything(), readApps(t, "apps/"+name)...)
		if diff := cmp.Diff(want[kind], routes(got)); diff != "" {
			t.Errorf("%s: routes (-want +got):\n%s", name, diff)
		}
		problems := []string{}
		if kind == "odd-labels" {
			problems = append(problems, "/odd/labels#99 HAPROXY_99_VHOST: label of a missing port")
		}
		if diff := cmp.Diff(problems, reasons(got)); diff != "" {
			t.Errorf("%s: problems (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("kinds with and without documents (-want +got):\n%s", diff)
	}
}

// served names the tasks of an app, by their place in the document, that are
// served without and with --health-check, the latter by a balancer that has never
// seen them before.
type served struct{ plain, gated []int }

// taskStates says what becomes of each case of testdata/task-states.
func taskStates() map[string]served {
	none, one := []int{}, []int{0}
	return map[string]served{
		"running-healthy":         {one, one},
		"running-no-results":      {one, none},
		"running-unhealthy":       {one, none},
		"running-never-healthy":   {one, none},
		"running-recovered":       {one, one},
		"running-no-health-check": {one, one},
		"staging":                 {none, none},
		"starting":                {none, none},
		"killing":                 {none, none}, // although its last result is alive
		"lost":                    {one, one},   // K17
		"unreachable":             {one, one},   // K17
		"unreachable-inactive":    {[]int{0, 1}, []int{1}},
		"gone":                    {none, none},
		"dropped":                 {none, none},
		"unknown":                 {none, none},

		"failed-awaiting-replacement": {none, none},
		"finished":                    {none, none},
		"killed-stopped-resident":     {none, none},
		"resident":                    {one, one},
		"resident-reserved":           {none, none},
		"rolling-deploy":              {[]int{0, 1, 3}, []int{0, 1}},
		"rolling-deploy-readiness":    {[]int{0, 1, 2}, []int{0, 2}}, // K15
		"crash-loop-no-task":          {none, none},
	}
}

// TestEveryTaskStateOfEveryGeneration goes through the index files.
func TestEveryTaskStateOfEveryGeneration(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t, "task-states") {
		name, isIndex := strings.CutSuffix(filepath.Base(file), ".index.json")
		if !isIndex {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apps := readApps(t, "task-states/"+name+".json")
			want := taskStates()
			if name == "v0.11" { // its tasks do not tell their state, so all are served (contract 2.3)
				want["staging"] = served{[]int{0}, []int{}}
				want["rolling-deploy"] = served{[]int{0, 1, 2, 3}, []int{0, 1}}
			}
			gate := everything()
			gate.HealthCheck = true
			plain, gated := derive(t, everything(), apps...), derive(t, gate, apps...)
			for _, id := range indexedApps(t, file) {
				expected, ok := want[strings.TrimPrefix(id, "/case/")]
				if !ok {
					t.Errorf("no expectation for %s", id)
				}
				got := served{servedTasks(t, apps, plain, id), servedTasks(t, apps, gated, id)}
				if diff := cmp.Diff(expected, got, cmp.AllowUnexported(served{})); diff != "" {
					t.Errorf("%s (-want +got):\n%s", id, diff)
				}
			}
		})
	}
}

func indexedApps(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Cases []struct {
			App string `json:"app"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range index.Cases {
		ids = append(ids, c.App)
	}
	return ids
}

// servedTasks returns the places of an app's tasks that the snapshot serves.
func servedTasks(t *testing.T, apps []marathon.App, s discovery.Snapshot, id string) []int {
	t.Helper()
	at := slices.IndexFunc(apps, func(a marathon.App) bool { return a.ID == id })
	service := slices.IndexFunc(s.Services, func(v discovery.Service) bool { return v.App == id })
	if at < 0 || service < 0 {
		t.Fatalf("app %s: place %d in the document, %d in the snapshot", id, at, service)
	}
	places := []int{}
	for i, task := range apps[at].Tasks {
		if slices.ContainsFunc(s.Services[service].Endpoints, func(e discovery.Endpoint) bool { return e.Task == task.ID }) {
			places = append(places, i)
		}
	}
	return places
}

// TestTutorialGroups is the scene of the tutorial, as each generation answers it.
func TestTutorialGroups(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"internal running": {
			"/keys-and-values/db#0:9000 -> 10.0.1.12:31379",
			"/wordpress/mysql-db#0:10000 -> 10.0.1.13:31306",
		},
		"external running": {"/wordpress/web-app#0:11111 -> 10.0.1.11:31080 10.0.1.12:31081 10.0.1.12:31082"},
		// The databases have no result yet, and the apps that need them no task.
		"internal deploying": {"/keys-and-values/db#0:9000 ->", "/wordpress/mysql-db#0:10000 ->"},
		"external deploying": {"/wordpress/web-app#0:11111 ->"},
	}
	document := regexp.MustCompile(`^v[0-9.]+-apps-(running|deploying)\.json$`)
	for _, file := range documents(t, "seeds") {
		name := filepath.Base(file)
		moment := document.FindStringSubmatch(name)
		if moment == nil {
			continue
		}
		for _, group := range []string{"internal", "external"} {
			opts := external()
			opts.Groups, opts.HealthCheck = []string{group}, true
			got := derive(t, opts, readApps(t, "seeds/"+name)...)
			if diff := cmp.Diff(want[group+" "+moment[1]], routes(got)); diff != "" {
				t.Errorf("%s on %s (-want +got):\n%s", name, group, diff)
			}
			if len(got.Problems) > 0 {
				t.Errorf("%s on %s: problems %v", name, group, reasons(got))
			}
		}
	}
}

// TestTutorialServices looks at all that is said about two services.
func TestTutorialServices(t *testing.T) {
	t.Parallel()
	web := derive(t, external(), readApps(t, "seeds/v1.9-apps-running.json")...).Services[0]
	web.Endpoints = nil
	if diff := cmp.Diff(discovery.Service{
		App: "/wordpress/web-app", ServicePort: 11111, Mode: discovery.ModeHTTP, Balance: "roundrobin",
		Hosts: []string{"test-worldpress.example.com"},
	}, web); diff != "" {
		t.Errorf("web app (-want +got):\n%s", diff)
	}
	opts := external()
	opts.Groups = []string{"internal"}
	db := derive(t, opts, readApps(t, "seeds/v0.11-apps-running.json")...).Services[0]
	db.Endpoints[0].Task = ""
	if diff := cmp.Diff(discovery.Service{
		App: "/keys-and-values/db", ServicePort: 9000, Mode: discovery.ModeTCP, Balance: "roundrobin",
		HealthCheck: discovery.HealthCheck{
			Protocol: "TCP", Path: "/", GracePeriodSeconds: 300, IntervalSeconds: 60, TimeoutSeconds: 20,
			MaxConsecutiveFailures: 3,
			JSON:                   db.HealthCheck.JSON,
		},
		Endpoints: db.Endpoints,
	}, db); diff != "" {
		t.Errorf("database (-want +got):\n%s", diff)
	}
	if got := db.Endpoints[0].Agent; got == "" {
		t.Error("the database's task has no agent")
	}
}
