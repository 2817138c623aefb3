package haproxy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/haproxy"
)

func hosted(app string, weight int, host, path string) haproxy.Proxy {
	return haproxy.Proxy{Service: discovery.Service{
		App: app, Mode: discovery.ModeHTTP, Weight: weight, Hosts: []string{host}, Path: path,
	}}
}

// said returns who is reported, for which label, and for what reason.
func said(problems []discovery.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.App+" "+p.Label+" "+p.Value+" "+p.Reason)
	}
	return out
}

func TestK12TheLoserOfAHostIsReported(t *testing.T) {
	t.Parallel()
	got := said(haproxy.HostConflicts([]haproxy.Proxy{
		hosted("/a", 0, "x.example.com", ""), hosted("/b", 1, "x.example.com", ""),
		hosted("/c", 0, "x.example.com", "/c"), hosted("/d", 0, "d.example.com", ""),
	}))
	want := []string{"/a HAPROXY_0_VHOST x.example.com virtual host taken"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestK13ARuleForASharedHostIsReported(t *testing.T) {
	t.Parallel()
	auth, redirect := hosted("/a", 0, "x.example.com", ""), hosted("/b", 0, "y.example.com", "")
	auth.Auth = discovery.Auth{Realm: "r", User: "u", Password: "p"}
	redirect.RedirectToHTTPS = true
	alone := hosted("/e", 0, "z.example.com", "")
	alone.RedirectToHTTPS = true
	got := said(haproxy.HostConflicts([]haproxy.Proxy{
		auth, redirect, hosted("/c", 0, "x.example.com", "/c"), hosted("/d", 0, "y.example.com", "/d"), alone,
	}))
	want := []string{
		"/a HAPROXY_0_AUTH x.example.com rule for a shared host",
		"/b HAPROXY_0_REDIRECT_TO_HTTPS y.example.com rule for a shared host",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
