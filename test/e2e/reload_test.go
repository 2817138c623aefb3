package e2e_test

import (
	"testing"

	"mlb/test/marathonsim/simtest"
)

func TestEndpointChangeIsNoReloadAndLosesNoRequest(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2, labels: map[string]string{"HAPROXY_0_VHOST": "web.example"}})
	b := started(t, "external", c.Masters())
	exactly(t, c, "/web", 2, b.web("web.example"))
	before, pids := b.reloads(t), b.pids(t)
	clients := b.web("web.example").begin(t)
	for _, n := range []int{6, 2} {
		scale(t, c, "/web", n)
		exactly(t, c, "/web", n, b.web("web.example"))
		exactly(t, c, "/web", n, b.port(10001))
	}
	must(t, c.Restart("/web"))
	simtest.Idle(t, c)
	exactly(t, c, "/web", 2, b.web("web.example"))
	clients.lossless(t)
	if after := b.reloads(t); after != before {
		t.Errorf("%v reloads, %v before", after, before)
	}
	if after := b.pids(t); len(after) != len(pids) || after[1] != pids[1] {
		t.Errorf("processes %v, %v before: want the same worker", after, pids)
	}
}
