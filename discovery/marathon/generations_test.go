package marathon_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// mixed are apps in the notation that Marathon has taken since 0.11: every
// network mode that all generations have, with and without ports and checks.
const mixed = `{"id": "/mixed", "apps": [
	{"id": "host", "cmd": "serve", "instances": 2, "ports": [10001, 0], "labels": {"HAPROXY_GROUP": "external", "HAPROXY_1_VHOST": "b.example.com"},
		"healthChecks": [{"protocol": "TCP", "portIndex": 1}]},
	{"id": "required", "cmd": "serve", "ports": [8080], "requirePorts": true},
	{"id": "none", "cmd": "work", "ports": []},
	{"id": "suspended", "cmd": "serve", "ports": [10003], "instances": 0},
	{"id": "bridge", "instances": 3, "container": {"type": "DOCKER", "docker": {"image": "nginx", "network": "BRIDGE", "portMappings": [
		{"containerPort": 80, "hostPort": 0, "servicePort": 10010, "protocol": "tcp"},
		{"containerPort": 0, "hostPort": 0, "servicePort": 0, "protocol": "tcp"},
		{"containerPort": 53, "hostPort": 31853, "servicePort": 10012, "protocol": "udp"}]}},
		"labels": {"HAPROXY_GROUP": "external,internal", "HAPROXY_0_VHOST": "a.example.com", "HAPROXY_0_STICKY": "true"},
		"healthChecks": [{"protocol": "HTTP", "path": "/healthz", "portIndex": 0, "intervalSeconds": 10}, {"protocol": "COMMAND", "command": {"value": "true"}}]}
]}`

// The services of the apps, with the number of their endpoints.
const deployed = `/keys-and-values/app 0 10000 tcp: 3
/keys-and-values/db 0 9000 tcp TCP: 1
/mixed/bridge 0 10010 http a.example.com HTTP: 3
/mixed/bridge 1 10004 tcp: 3
/mixed/bridge 2 10012 tcp: 3
/mixed/host 0 10001 tcp: 2
/mixed/host 1 10002 http b.example.com TCP: 2
/mixed/required 0 8080 tcp: 1
/mixed/suspended 0 10003 tcp: 0
/wordpress/mysql-db 0 10000 tcp TCP: 1
/wordpress/web-app 0 11111 http test-worldpress.example.com: 3
`

// described writes the services of the last snapshot without what differs from
// run to run.
func (w *watching) described() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	for _, s := range w.last.Services {
		words := append([]string{s.App, strconv.Itoa(s.PortIndex), strconv.Itoa(s.ServicePort), string(s.Mode)}, s.Hosts...)
		if s.HealthCheck.Exists() {
			words = append(words, s.HealthCheck.Protocol)
		}
		lines = append(lines, fmt.Sprintf("%s: %d\n", strings.Join(words, " "), len(s.Endpoints)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// describes waits until the snapshot has these services.
func (w *watching) describes(t *testing.T, want string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("(-want +got)\n%s", cmp.Diff(want, w.described()))
		}
	})
	eventually(t, "the services", func() bool { return w.described() == want })
}

// TestEveryGenerationLeadsToTheSameServices drives the same apps through the same
// life on each generation.
func TestEveryGenerationLeadsToTheSameServices(t *testing.T) {
	t.Parallel()
	for _, generation := range marathonsim.Generations() {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			w := watch(t, marathonsim.Options{Generation: generation, Masters: 2, Speed: 1000, Unserved: true})
			for _, document := range []string{marathonsim.KeysAndValues(), marathonsim.WordPress(), mixed} {
				simtest.Deploy(t, w.cluster, document)
				simtest.Idle(t, w.cluster)
			}
			w.describes(t, deployed)

			simtest.Deploy(t, w.cluster, `{"id": "/mixed/host", "instances": 5, "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_MODE": "http"}}`)
			changed := strings.NewReplacer("10001 tcp: 2", "10001 http: 5", "10002 http b.example.com TCP: 2", "10002 tcp TCP: 5").Replace(deployed)
			w.describes(t, changed)

			if err := w.cluster.ChangeLeader(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a leader", func() bool { return w.cluster.Leader() >= 0 })
			killed := w.cluster.Ready("/mixed/required")[0]
			if err := w.cluster.KillTask(killed.ID); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the killed task is gone", func() bool { return !w.has(killed) })
			w.describes(t, changed)
		})
	}
}

// has reports whether a task is an endpoint.
func (w *watching) has(task marathonsim.TaskInfo) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.last.Services, func(s discovery.Service) bool {
		return slices.ContainsFunc(s.Endpoints, func(e discovery.Endpoint) bool { return e.Task == task.ID })
	})
}

// TestTheSameToldOtherwiseIsFollowed leaves the fault in force; nothing but events
// can tell of the changes, because the stream lasts.
func TestTheSameToldOtherwiseIsFollowed(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]marathonsim.FaultKind{
		"byte by byte":     marathonsim.FaultSplitStream,
		"in few writes":    marathonsim.FaultMergeStream,
		"twice":            marathonsim.FaultDuplicateStream,
		"in another order": marathonsim.FaultReorderStream,
		"with more in it":  marathonsim.FaultStrange,
	} {
		for _, generation := range []marathonsim.Generation{marathonsim.V0_11, marathonsim.V1_3, marathonsim.V1_11} {
			t.Run(name+", "+string(generation), func(t *testing.T) {
				t.Parallel()
				w := watch(t, marathonsim.Options{Generation: generation, Speed: 100, HeartbeatInterval: 50 * time.Millisecond})
				simtest.Deploy(t, w.cluster, shop)
				w.converges(t, 2)
				eventually(t, "the stream", func() bool { return w.watcher.Status().Stream.Connected })
				since := w.watcher.Status().Stream.Since
				w.cluster.SetFault(marathonsim.AllMasters, marathonsim.Fault{Kind: kind})
				for _, n := range []int{4, 1, 3} {
					scale(t, w, n)
					w.converges(t, n)
				}
				simtest.Deploy(t, w.cluster, `{"id": "/shop", "labels": {"HAPROXY_0_MODE": "http"}}`)
				w.converges(t, 3)
				if err := w.cluster.CrashTask(w.cluster.Ready("/shop")[0].ID); err != nil {
					t.Fatal(err)
				}
				w.converges(t, 3)
				if stream := w.watcher.Status().Stream; !stream.Since.Equal(since) {
					t.Errorf("the stream did not last: %+v", stream)
				}
			})
		}
	}
}
