package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"mlb/test/balancer"
	"mlb/test/marathonsim/simtest"
)

// HUP reads everything again, USR1 reloads HAProxy (contract 1.3).
func TestSignals(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	clients := newTraffic(t, b.Port(10001, "/"))
	passes := func() float64 { return metric(t, b, "mlb_fetch_duration_seconds_count", "") }

	before, reloads := passes(), b.Reloads(t)
	b.Signal(t, syscall.SIGHUP)
	balancer.Eventually(t, "HUP leads to a reading", func() error {
		if passes() <= before {
			return errors.New("none")
		}
		return nil
	})
	if n := b.Reloads(t); n != reloads {
		t.Errorf("HUP led to %v reloads", n-reloads)
	}

	pids := b.PIDs(t)
	b.Signal(t, syscall.SIGUSR1)
	balancer.Eventually(t, "USR1 leads to a reload", func() error {
		if n := b.Reloads(t); n != reloads+1 {
			return fmt.Errorf("%v reloads", n-reloads)
		}
		return nil
	})
	if after := b.PIDs(t); after[0] != pids[0] {
		t.Errorf("processes %v, %v before: want the same master", after, pids)
	}
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	clients.lossless(t)
}

func TestPollModePicksUpChanges(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := newBalancer(t, "external", c.Masters(), "--poll-interval", "0.3")
	b.Mode = "poll"
	b.Start(t)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	if n := c.Streams(); n != 0 {
		t.Errorf("%d event streams, want none", n)
	}
	scale(t, c, "/web", 4)
	exactly(t, c, "/web", 4, b.Port(10001, "/"))
	must(t, c.Delete("/web"))
	closed(t, b.Port(10001, "/"))
}

// Whatever one app's labels hold, the others are served and the configuration has no
// line that nobody meant.
func TestHostileLabelsCostTheirAppAlone(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	clients := newTraffic(t, b.Port(10001, "/"))
	for i, labels := range []map[string]string{
		{"HAPROXY_0_VHOST": "x.example\n  stats admin if TRUE\n"},
		{"HAPROXY_0_VHOST": "a b c } { #"},
		{"HAPROXY_0_PATH": "/x\r\nbackend evil"},
		{"HAPROXY_0_PORT": "not a port"},
		{"HAPROXY_0_PORT": "9090"},
		{"HAPROXY_0_BALANCE": "roundrobin\n  server evil 127.0.0.1:1"},
		{"HAPROXY_0_MODE": "carrier pigeon"},
		{"HAPROXY_0_BIND_ADDR": "*:1,unix@/evil"},
		{"HAPROXY_0_BACKEND_WEIGHT": "-7"},
		{"HAPROXY_0_BACKEND_SERVER_OPTIONS": "  server x 127.0.0.1:1\nglobal\n  user root"},
		{"HAPROXY_0_STICKY": "perhaps\x00"},
		{"HAPROXY_0_VHOST": strings.Repeat("long.", 2000) + "example"},
	} {
		simtest.Deploy(t, c, app{id: fmt.Sprintf("/hostile-%d", i), port: 10100 + i, instances: 1, labels: labels}.document(t))
	}
	deploy(t, c, app{id: "/zzz-last", port: 10050, instances: 2, labels: map[string]string{"HAPROXY_0_VHOST": "last.example"}})
	simtest.Idle(t, c)
	exactly(t, c, "/zzz-last", 2, b.Port(10050, "/"))
	exactly(t, c, "/zzz-last", 2, b.Web("last.example", "/"))
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	for i := range 3 {
		problem(t, b, fmt.Sprintf("/hostile-%d", i))
	}
	text, err := b.Ask(t.Context(), "/_haproxy_getconfig")
	must(t, err)
	for line := range strings.Lines(text) {
		word := strings.Fields(line + " .")[0]
		if word == "user" || strings.Contains(line, "evil") || strings.Contains(line, "stats admin") || strings.Contains(line, "127.0.0.1:1 ") {
			if !strings.Contains(line, "user haproxy") {
				t.Errorf("line %q", line)
			}
		}
	}
	b.WaitReady(t)
	clients.lossless(t)
}

// An app that cannot be read costs nobody else anything. The list is as Marathon
// gives it, with one app that has another shape.
func TestUnparsableAppCostsItselfAlone(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	front := spoil(t, c)
	b.Signal(t, syscall.SIGTERM)
	b.Wait(t)
	b.Masters = []string{front}
	b.Start(t)
	b.WaitReady(t)
	problem(t, b, "/spoiled")
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	scale(t, c, "/web", 3)
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
}
