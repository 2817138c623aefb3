package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/marathonsim/simtest"
)

func TestEndpointChangeIsNoReloadAndLosesNoRequest(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2, labels: map[string]string{"HAPROXY_0_VHOST": "web.example"}})
	b := started(t, c.Masters())
	exactly(t, c, "/web", 2, b.Web("web.example", "/"))
	before, pids := b.Reloads(t), b.PIDs(t)
	clients := newTraffic(t, b.Web("web.example", "/"))
	for _, n := range []int{6, 2} {
		scale(t, c, "/web", n)
		exactly(t, c, "/web", n, b.Web("web.example", "/"))
		exactly(t, c, "/web", n, b.Port(10001, "/"))
	}
	must(t, c.Restart("/web"))
	simtest.Idle(t, c)
	exactly(t, c, "/web", 2, b.Web("web.example", "/"))
	clients.lossless(t)
	if after := b.Reloads(t); after != before {
		t.Errorf("%v reloads, %v before", after, before)
	}
	if after := b.PIDs(t); len(after) != len(pids) || after[1] != pids[1] {
		t.Errorf("processes %v, %v before: want the same worker", after, pids)
	}
}

func TestVirtualHostComesAndGoesWithoutAReload(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	web := app{id: "/web", port: 10001, instances: 2, labels: map[string]string{"HAPROXY_0_VHOST": "one.example,two.example"}}
	deploy(t, c, web)
	b := started(t, c.Masters())
	exactly(t, c, "/web", 2, b.Web("one.example", "/"))
	before := b.Reloads(t)
	web.labels["HAPROXY_0_VHOST"] = "two.example,three.example"
	clients := newTraffic(t, b.Web("two.example", "/"))
	deploy(t, c, web)
	simtest.Idle(t, c)
	exactly(t, c, "/web", 2, b.Web("three.example", "/"))
	balancer.Eventually(t, "the old host is not served any more", func() error {
		a, err := b.Web("one.example", "/").Send(t.Context())
		if err != nil || a.Code != http.StatusServiceUnavailable {
			return fmt.Errorf("%d %w", a.Code, err)
		}
		return nil
	})
	clients.lossless(t)
	if after := b.Reloads(t); after != before {
		t.Errorf("%v reloads, %v before", after, before)
	}
}

func TestRequestThatRunsIsFinished(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *marathonsim.Cluster){
		"while its task is scaled away": func(t *testing.T, c *marathonsim.Cluster) {
			t.Helper()
			must(t, c.Scale("/web", 1))
		},
		"while HAProxy is reloaded for a new app": func(t *testing.T, c *marathonsim.Cluster) {
			t.Helper()
			deploy(t, c, app{id: "/new", port: 10002, instances: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, b := serving(t)
			answers := make(chan string, 8)
			for range cap(answers) { // some of them at each task
				go func() {
					a, err := b.Port(10001, "/?sleep=2s").Send(t.Context())
					answers <- fmt.Sprint(a.Code, " ", err)
				}()
			}
			balancer.Eventually(t, "all requests are under way", func() error { return sessions(t, b, "web_10001", cap(answers)) })
			change(t, c)
			for range cap(answers) {
				select {
				case got := <-answers:
					if got != "200 <nil>" {
						t.Errorf("answer %s", got)
					}
				case <-time.After(balancer.Deadline):
					t.Fatal("no answer")
				}
			}
		})
	}
}

// sessions returns nil when a backend has so many sessions.
func sessions(t *testing.T, b *balancer.Balancer, backend string, want int) error {
	t.Helper()
	text, err := b.Ask(t.Context(), "/metrics")
	if err != nil {
		return err
	}
	got, err := balancer.Sum(text, "haproxy_backend_current_sessions", `proxy="`+backend+`"`)
	must(t, err)
	if got != float64(want) {
		return fmt.Errorf("%v sessions", got)
	}
	return nil
}

// With --health-check Marathon's verdicts decide (contract 2.4), and a new leader that
// has not checked anything yet takes nothing away.
func TestMarathonsVerdictDecides(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{
		Masters: 3, HealthInterval: 300 * time.Millisecond, Launcher: launcher.InProcess{StopDelay: stopDelay},
	})
	simtest.Deploy(t, c, `{"id": "/web", "cmd": "serve", "instances": 3, "labels": {"HAPROXY_GROUP": "external"},
		"portDefinitions": [{"port": 10001}],
		"healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "maxConsecutiveFailures": 1000}]}`)
	simtest.Running(t, c, "/web", 3)
	b := started(t, c.Masters())
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	reloads := b.Reloads(t)

	sick := c.Ready("/web")[0].ID
	must(t, c.FailTask(sick))
	simtest.Wait(t, c, "the task is sick", func() bool { return len(c.Ready("/web")) == 2 })
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	must(t, c.RecoverTask(sick))
	simtest.Running(t, c, "/web", 3)
	exactly(t, c, "/web", 3, b.Port(10001, "/"))

	clients := newTraffic(t, b.Port(10001, "/"))
	before := c.Leader()
	must(t, c.ChangeLeader())
	simtest.Wait(t, c, "another leader", func() bool { return c.Leader() >= 0 && c.Leader() != before })
	simtest.Running(t, c, "/web", 3)
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	clients.lossless(t)
	if after := b.Reloads(t); after != reloads {
		t.Errorf("%v reloads, %v before", after, reloads)
	}
}

// With --hard-stop-after a worker that a reload has replaced ends although a session goes on
// in it, which is never idle. Without it there is no limit (TestK18…).
func TestHardStopEndsAnOldWorkerWithASession(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 1})
	b := newBalancer(t, "external", c.Masters(), "--hard-stop-after", "300ms")
	b.Start(t)
	exactly(t, c, "/web", 1, b.Port(10001, "/"))
	before := b.PIDs(t)
	conn, err := (&net.Dialer{Timeout: balancer.Deadline}).DialContext(t.Context(), "tcp", net.JoinHostPort(b.Host, "10001"))
	must(t, err)
	defer conn.Close() //nolint:errcheck // HAProxy has closed it
	must(t, conn.SetDeadline(time.Now().Add(balancer.Deadline)))
	session := bufio.NewReader(conn)
	must(t, exchange(conn, session))
	deploy(t, c, app{id: "/new", port: 10002, instances: 1})
	exactly(t, c, "/new", 1, b.Port(10002, "/"))
	balancer.Eventually(t, "the session is cut", func() error {
		if exchange(conn, session) == nil {
			return errors.New("it goes on")
		}
		return nil
	})
	var told struct {
		HardStop string `json:"hard_stop_after"`
		Workers  []struct {
			PID         int
			Kind        string
			Connections *int
		}
	}
	balancer.Eventually(t, "there is the new worker only", func() error {
		text, err := b.Ask(t.Context(), "/_mlb/workers")
		if err != nil {
			return err
		}
		must(t, json.Unmarshal([]byte(text), &told))
		now := b.PIDs(t)
		if len(told.Workers) != 1 || len(now) != 2 || now[0] != before[0] || now[1] == before[1] {
			return fmt.Errorf("processes %v, %v before, workers %s", now, before, text)
		}
		if w := told.Workers[0]; w.PID != now[1] || w.Kind != "current" || w.Connections == nil || told.HardStop != "300ms" {
			return fmt.Errorf("workers %s of processes %v", text, now)
		}
		return nil
	})
	if current, old := metric(t, b, "mlb_haproxy_workers", `kind="current"`), metric(t, b, "mlb_haproxy_workers", `kind="old"`); current != 1 || old != 0 {
		t.Errorf("%v current workers and %v old ones", current, old)
	}
}

// exchange sends a request over a connection and reads its answer.
func exchange(conn net.Conn, answers *bufio.Reader) error {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	r, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return errors.Join(err, r.Body.Close())
}
