package e2e_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// losesTheStream waits until mlb knows that nobody tells it about changes.
func losesTheStream(t *testing.T, b *balancer.Balancer) {
	t.Helper()
	balancer.Eventually(t, "mlb notices", func() error {
		if metric(t, b, "mlb_stream_connected", "") != 0 {
			return errors.New("the stream counts as connected")
		}
		return nil
	})
}

func TestTroubleWithMarathonInterruptsNothingAndLosesNoChange(t *testing.T) {
	t.Parallel()
	on := func(f marathonsim.Fault) func(*testing.T, *marathonsim.Cluster) func() {
		return func(_ *testing.T, c *marathonsim.Cluster) func() {
			c.SetFault(marathonsim.AllMasters, f)
			c.DropStreams()
			return func() { c.SetFault(marathonsim.AllMasters, marathonsim.Fault{}) }
		}
	}
	for name, begin := range map[string]func(*testing.T, *marathonsim.Cluster) (end func()){
		"all masters are gone":      stopMasters,
		"answers are cut off":       on(marathonsim.Fault{Kind: marathonsim.FaultTruncate}),
		"answers are empty":         on(marathonsim.Fault{Kind: marathonsim.FaultEmpty}),
		"answers are errors":        on(marathonsim.Fault{Kind: marathonsim.FaultStatus, Status: 503}),
		"connections are reset":     on(marathonsim.Fault{Kind: marathonsim.FaultReset}),
		"requests are not answered": on(marathonsim.Fault{Kind: marathonsim.FaultHang}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cluster(t)
			deploy(t, c, app{id: "/web", port: 10001, instances: 3, labels: map[string]string{"HAPROXY_0_VHOST": "web.example"}})
			b := started(t, c.Masters())
			exactly(t, c, "/web", 3, b.Web("web.example", "/"))
			pids := b.PIDs(t)
			clients := newTraffic(t, b.Web("web.example", "/"))
			end := begin(t, c)
			losesTheStream(t, b)
			early := c.Scale("/web", 5) // mlb cannot know yet; without a master it fails
			served := clients.served()
			balancer.Eventually(t, "traffic goes on", func() error {
				if now := clients.served(); now < served+20 {
					return fmt.Errorf("%d requests", now-served)
				}
				return nil
			})
			end()
			if early != nil {
				simtest.Wait(t, c, "a leader", func() bool { return c.Leader() >= 0 })
				must(t, c.Scale("/web", 5))
			}
			simtest.Running(t, c, "/web", 5)
			exactly(t, c, "/web", 5, b.Web("web.example", "/"))
			clients.lossless(t)
			if after := b.PIDs(t); after[1] != pids[1] {
				t.Errorf("processes %v, %v before: want the same worker", after, pids)
			}
			balancer.Eventually(t, "mlb is ready", func() error { return ready(t, b) })
		})
	}
}

func stopMasters(t *testing.T, c *marathonsim.Cluster) (end func()) {
	t.Helper()
	for i := range c.Masters() {
		must(t, c.StopMaster(i))
	}
	return func() {
		for i := range c.Masters() {
			must(t, c.StartMaster(t.Context(), i))
		}
	}
}

func TestSlowAnswersArriveInTheEnd(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := started(t, c.Masters())
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	c.SetFault(marathonsim.AllMasters, marathonsim.Fault{Kind: marathonsim.FaultDelay, Delay: 3 * time.Second})
	clients := newTraffic(t, b.Port(10001, "/"))
	scale(t, c, "/web", 4)
	exactly(t, c, "/web", 4, b.Port(10001, "/"))
	clients.lossless(t)
}

func TestSilentStreamIsFoundOut(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := started(t, c.Masters())
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	c.SetFault(marathonsim.AllMasters, marathonsim.Fault{Kind: marathonsim.FaultSilentStream})
	clients := newTraffic(t, b.Port(10001, "/"))
	scale(t, c, "/web", 4) // nobody tells mlb
	losesTheStream(t, b)
	exactly(t, c, "/web", 4, b.Port(10001, "/")) // while no stream says a word
	c.SetFault(marathonsim.AllMasters, marathonsim.Fault{})
	scale(t, c, "/web", 2)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	clients.lossless(t)
}
