package render_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/render"
	"mlb/templates"
	"mlb/test/haproxytest"
)

// Of 20 tasks 18 have ended and HAProxy has not been told: each request still finds
// one of the others.
func TestRequestFindsTheTasksThatAreLeft(t *testing.T) {
	t.Parallel()
	const all, left = 20, 2
	p := web("/a", 20001, "a.example.com")
	p.Bind, p.Endpoints = "", nil
	for i := range all {
		l := haproxytest.Listen(t)
		task := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		task.Listener.Close() //nolint:errcheck // the test's own address takes its place
		task.Listener = l
		task.Start()
		t.Cleanup(task.Close)
		address, err := netip.ParseAddrPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if i >= left {
			task.Close()
		}
		p.Endpoints = append(p.Endpoints, discovery.Endpoint{
			Task: "t", Agent: address.Addr().String(), Address: address.Addr(), Port: int(address.Port()), State: discovery.Ready,
		})
	}
	head, err := templates.Default("BACKEND_HEAD")
	if err != nil {
		t.Fatal(err)
	}
	i := run(t, []haproxy.Proxy{p}, render.Overrides{"BACKEND_HEAD": head.Text}, nil)
	for range all {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", i.http)
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, conn, "a.example.com", "/"); strings.HasPrefix(got, "503") {
			t.Errorf("answer %s", got)
		}
	}
}

func TestRetriesOfACustomHeadStand(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]bool{
		"": true, "global\ndefaults\n  retries 5\n": false, "global\ndefaults\n  option redispatch\n": true,
		"global\nbackend x\n  retries 5\n": true,
	} {
		overrides := render.Overrides{}
		if head != "" {
			overrides["HEAD"] = head
		}
		r, err := render.New(frame(), overrides)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := r.Render([]haproxy.Proxy{web("/a", 10001)}).Config.Section("backend", "a_10001")
		if got := slices.Contains(s.Skeleton, "retries 30"); got != want {
			t.Errorf("HEAD %q: retries in the backend %t, want %t", head, got, want)
		}
	}
}
