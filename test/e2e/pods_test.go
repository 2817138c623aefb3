package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// podDocument is a pod whose first endpoint has a host and a host port, and whose second
// has a port and is reached in the container network.
func podDocument(instances int, host string) string {
	return fmt.Sprintf(`{"id": "/pod", "scaling": {"kind": "fixed", "instances": %d},
		"labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": %q, "HAPROXY_1_PORT": "10002", "HAPROXY_1_MODE": "http"},
		"networks": [{"mode": "container", "name": "dcos"}], "containers": [
			{"name": "web", "endpoints": [{"name": "http", "containerPort": 8080, "hostPort": 0}],
			 "healthCheck": {"http": {"endpoint": "http", "path": "/"}, "intervalSeconds": 2, "gracePeriodSeconds": 0, "maxConsecutiveFailures": 1000}},
			{"name": "side", "endpoints": [{"name": "admin", "containerPort": 9102}]}]}`, instances, host)
}

// A pod is served by host, port and ID, scales without a reload, is replaced without a
// failed request, and goes.
func TestPodsAreServed(t *testing.T) {
	t.Parallel()
	for _, generation := range []marathonsim.Generation{marathonsim.V1_4, marathonsim.V1_9} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := clusterOf(t, generation)
			deploy(t, c, app{id: "/web", port: 10001, instances: 1})
			deployPod := func(instances int, host string) {
				t.Helper()
				must(t, c.DeployPod(podDocument(instances, host)))
				simtest.Running(t, c, "/pod", instances)
			}
			deployPod(2, "pod.example")
			b := newBalancer(t, "external", c.Masters(), "--pods")
			b.Start(t)
			b.WaitReady(t)
			host, port := b.Web("pod.example", "/"), b.Port(10002, "/")
			for _, r := range []balancer.Request{host, port, b.ByID("/pod", "/")} {
				exactly(t, c, "/pod", 2, r)
			}
			exactly(t, c, "/web", 1, b.Port(10001, "/"))
			if problems, err := b.Ask(t.Context(), "/_mlb/problems"); err != nil || !strings.Contains(problems, `"problems":[]`) {
				t.Errorf("problems %s %v, want none", problems, err)
			}

			clients, others := newTraffic(t, host), newTraffic(t, port)
			reloads := b.Reloads(t)
			deployPod(4, "pod.example")
			exactly(t, c, "/pod", 4, host)
			exactly(t, c, "/pod", 4, port)
			deployPod(1, "pod.example")
			exactly(t, c, "/pod", 1, host)
			exactly(t, c, "/pod", 1, port)
			deployPod(2, "pod.example,new.example")
			exactly(t, c, "/pod", 2, b.Web("new.example", "/"))
			exactly(t, c, "/pod", 2, port)
			if n := b.Reloads(t) - reloads; n != 0 {
				t.Errorf("%v reloads for instances and a host", n)
			}
			clients.lossless(t)
			others.lossless(t)

			must(t, c.DeletePod("/pod"))
			closed(t, host)
			closed(t, port)
			exactly(t, c, "/web", 1, b.Port(10001, "/"))
		})
	}
}

// Without --pods no pod is served.
func TestPodsAreNotServedUnlessWanted(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 1})
	must(t, c.DeployPod(podDocument(1, "pod.example")))
	simtest.Running(t, c, "/pod", 1)
	b := started(t, c.Masters())
	exactly(t, c, "/web", 1, b.Port(10001, "/"))
	closed(t, b.Web("pod.example", "/"))
	closed(t, b.Port(10002, "/"))
}
