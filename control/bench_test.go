package control_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"mlb/control"
	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
)

// differ does what the apply loop computes for a change at run time.
type differ struct {
	running haproxy.Config
}

func (*differ) Check(context.Context, haproxy.Config) ([]apply.Refusal, error) { return nil, nil }
func (*differ) StartLast(context.Context) (bool, error)                        { return false, nil }
func (d *differ) Apply(_ context.Context, c haproxy.Config) (apply.Result, error) {
	v := haproxy.Version{Major: 2, Minor: 6}
	plan := haproxy.Diff(d.running, c, v)
	if len(plan.Reasons) > 0 {
		d.running = c
		return apply.Result{Method: apply.MethodReload}, nil
	}
	d.running = d.running.Toward(c, plan.Steps, v)
	return apply.Result{Method: apply.MethodRuntime, Adds: len(plan.Steps)}, nil
}

// BenchmarkPass measures a pass after a task of one app has come or gone, from the
// snapshot to the steps, among apps of ten tasks each.
func BenchmarkPass(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("apps=%d", n), func(b *testing.B) {
			d := &differ{}
			c, _ := newCounting(b, control.Config{EmptyServiceTimeout: time.Hour}, d)
			defer c.Close()
			var services []discovery.Service
			for i := range n {
				services = append(services, busy(i, 10))
			}
			c.Pass(b.Context(), discovery.NewSnapshot(services, nil))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s := busy(n/2+i/2%min(n/2, 100), 10+(i+1)%2)
				c.Pass(b.Context(), about(discovery.NewSnapshot([]discovery.Service{s}, nil), s.App))
			}
			if r, _ := c.Last(); r.Adds != 1 {
				b.Fatalf("record %+v", r)
			}
		})
	}
}

// busy is an app with tasks, virtual host and health check.
func busy(n, tasks int) discovery.Service {
	s := hosted(service(fmt.Sprintf("/team/app-%05d", n), 10000+n, 0), fmt.Sprintf("app-%d.example.com", n))
	s.HealthCheck = discovery.HealthCheck{Protocol: "HTTP", Path: "/", IntervalSeconds: 10, TimeoutSeconds: 5, MaxConsecutiveFailures: 3}
	for i := range tasks {
		a := netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), byte(i)})
		s.Endpoints = append(s.Endpoints, discovery.Endpoint{Task: "t", Agent: a.String(), Address: a, Port: 31000, State: discovery.Ready})
	}
	return s
}
