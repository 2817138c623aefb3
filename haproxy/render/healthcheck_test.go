package render_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/render"
	"mlb/templates"
	"mlb/test/haproxytest"
)

// K9: HAProxy repeats a check of protocol HTTPS without TLS, at the check's path.
func TestK9HTTPSChecksAreSentInClear(t *testing.T) {
	t.Parallel()
	var probes atomic.Int32
	task := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.TLS == nil && r.URL.Path == "/health" {
			probes.Add(1)
		}
	}))
	task.Listener = haproxytest.Listen(t)
	task.Start()
	t.Cleanup(task.Close)
	address, err := netip.ParseAddrPort(task.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := web("/a", 20001)
	p.Bind = ""
	p.HealthCheck = discovery.HealthCheck{
		Protocol: "HTTPS", Path: "/health", PortIndex: 0, IntervalSeconds: 1, TimeoutSeconds: 1,
	}
	p.Endpoints[0].Address, p.Endpoints[0].Port = address.Addr(), int(address.Port())
	head, err := templates.Default("BACKEND_HEAD")
	if err != nil {
		t.Fatal(err)
	}
	run(t, []haproxy.Proxy{p}, render.Overrides{"BACKEND_HEAD": head.Text}, nil)
	haproxytest.Eventually(t, "the task is probed in clear", func() bool { return probes.Load() > 0 })
}
