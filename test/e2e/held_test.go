package e2e_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// saysNothing makes every master answer that there are no apps.
func saysNothing(c *marathonsim.Cluster) {
	c.SetFault(marathonsim.AllMasters, marathonsim.Fault{Kind: marathonsim.FaultNoApps})
}

// holds waits until mlb holds n endpoints that Marathon no longer names.
func holds(t *testing.T, b *balancer.Balancer, n int) {
	t.Helper()
	balancer.Eventually(t, fmt.Sprintf("%d endpoints are held", n), func() error {
		held, err := b.Metric(t.Context(), "mlb_removal_held_endpoints", "")
		if err == nil && held != float64(n) {
			err = fmt.Errorf("%v are", held)
		}
		return err
	})
}

func TestAnEmptyListRemovesNothingUntilAnOperatorBelievesIt(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 3})
	b := started(t, c.Masters())
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	clients := newTraffic(t, b.Port(10001, "/"))
	saysNothing(c)
	if _, err := b.Ask(t.Context(), "/_mlb_signal/hup"); err != nil {
		t.Fatal(err)
	}
	holds(t, b, 3)
	read := metric(t, b, "mlb_events_total", `type="deployment_success"`)
	scale(t, c, "/web", 4) // events about an app do not say that it is gone
	balancer.Eventually(t, "the events are read", func() error {
		if now := metric(t, b, "mlb_events_total", `type="deployment_success"`); now <= read {
			return fmt.Errorf("%v are", now)
		}
		return nil
	})
	holds(t, b, 3)
	must(t, ready(t, b)) // a balancer that serves is not taken away
	clients.lossless(t)

	if out, err := b.Prepare(t.Context(), "release", "--socket-dir", b.Path("run")).CombinedOutput(); err != nil {
		t.Fatalf("release: %v: %s", err, out)
	}
	balancer.Eventually(t, "the app is gone", func() error {
		if answer, err := b.Port(10001, "/").Send(t.Context()); err == nil {
			return fmt.Errorf("it answers %d", answer.Code)
		}
		return nil
	})
	if out, err := b.Prepare(t.Context(), "release", "--socket-dir", b.Path("run")).CombinedOutput(); err == nil || string(out) != "mlb: Nothing is held back.\n" {
		t.Errorf("release of nothing: %v: %s", err, out)
	}
}

func TestAnEmptyListAfterARestartRemovesNothing(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(*testing.T, *balancer.Balancer){
		"in order": func(t *testing.T, b *balancer.Balancer) {
			t.Helper()
			b.Signal(t, syscall.SIGTERM)
		},
		"killed": func(t *testing.T, b *balancer.Balancer) {
			t.Helper()
			balancer.Eventually(t, "the state is kept", func() error {
				_, err := os.Stat(b.Path("state/last-good.json"))
				return err
			})
			b.Signal(t, syscall.SIGKILL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cluster(t)
			deploy(t, c, app{id: "/web", port: 10001, instances: 3})
			b := started(t, c.Masters())
			exactly(t, c, "/web", 3, b.Port(10001, "/"))
			ends(t, b)
			b.Wait(t)
			saysNothing(c)
			b.Start(t)
			holds(t, b, 3)
			exactly(t, c, "/web", 3, b.Port(10001, "/"))
			c.SetFault(marathonsim.AllMasters, marathonsim.Fault{})
			holds(t, b, 0)
			exactly(t, c, "/web", 3, b.Port(10001, "/"))
		})
	}
}

func TestTheLastGoodStateIsServedWithoutMarathonAndConfiguration(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 3})
	b := started(t, c.Masters())
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	b.Signal(t, syscall.SIGTERM)
	b.Wait(t)
	must(t, os.Remove(b.Path("haproxy.cfg")))
	stopMasters(t, c)
	b.Start(t)
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	if ready(t, b) == nil {
		t.Error("ready, though nobody knows how things are")
	}
}

func TestVerdictsOutliveMlbAndTheLeader(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	simtest.Deploy(t, c, `{"id": "/web", "cmd": "serve", "instances": 2, "cpus": 0.1, "mem": 32, "labels": {"HAPROXY_GROUP": "external"},
		"portDefinitions": [{"port": 10001}], "healthChecks": [{"protocol": "HTTP", "portIndex": 0, "intervalSeconds": 100}]}`)
	simtest.Running(t, c, "/web", 2)
	b := newBalancer(t, "external", c.Masters())
	b.Args = append(b.Args, "--health-check")
	b.Start(t)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	b.Signal(t, syscall.SIGTERM)
	b.Wait(t)
	must(t, c.ChangeLeader()) // Marathon's new leader knows no results for up to five seconds
	simtest.Wait(t, c, "a leader", func() bool { return c.Leader() >= 0 })
	b.Start(t)
	b.WaitReady(t)
	if got := answerers(t.Context(), b.Port(10001, "/"), 6); len(got) != 2 {
		t.Errorf("tasks %v answer, want both", got)
	}
}
