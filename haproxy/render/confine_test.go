package render_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/haproxy"
)

// labelled returns a service with labels in place of templates, pairs of name and
// text.
func labelled(p haproxy.Proxy, labels ...string) haproxy.Proxy {
	p.Overrides = nil
	for i := 0; i+1 < len(labels); i += 2 {
		p.Overrides = append(p.Overrides, discovery.Override{Template: labels[i], Text: labels[i+1]})
	}
	slices.SortFunc(p.Overrides, func(a, b discovery.Override) int { return strings.Compare(a.Template, b.Template) })
	return p
}

// A label that leaves its place costs its service and nobody else.
func TestD36AHostileLabelCostsItsServiceOnly(t *testing.T) {
	t.Parallel()
	one, two := web("/bad", 10000, "bad.example.com"), web("/bad", 10000, "bad.example.com", "worse.example.com")
	good := web("/good", 10001, "good.example.com")
	want := newRenderer(t).Render([]haproxy.Proxy{good}).Config.Text()
	for name, bad := range map[string]haproxy.Proxy{
		"another section":              labelled(one, "BACKEND_HTTP_OPTIONS", "frontend f\n  bind :1\n"),
		"everybody's requests":         labelled(one, "HTTP_FRONTEND_ACL", "  http-request deny\n"),
		"others' requests":             labelled(one, "HTTPS_FRONTEND_ACL", "  use_backend {backend} if {{ ssl_fc_sni good.example.com }}\n"),
		"others' app ID":               labelled(one, "HTTP_FRONTEND_APPID_ACL", "  use_backend {backend} if {{ req.hdr(x-marathon-app-id) /good }}\n"),
		"another address":              labelled(one, "FRONTEND_HEAD", "frontend {backend}\n  bind *:10001\n"),
		"another list of users":        labelled(one, "BACKEND_HTTP_OPTIONS", "  http-request auth unless {{ http_auth(user_good_10001) }}\n"),
		"no head, but lines":           labelled(one, "FRONTEND_HEAD", ""),
		"a comment for a head":         labelled(one, "FRONTEND_HEAD", "# none\n", "FRONTEND_BACKEND_GLUE", ""),
		"no head of a backend":         labelled(one, "BACKEND_HEAD", ""),
		"an ACL of two labels":         labelled(two, "HTTP_FRONTEND_ACL_ONLY", "  acl v_{backend} path_beg /\n", "HTTP_FRONTEND_ROUTING_ONLY", "  acl v_{backend} hdr(host) {hostname}\n  http-request deny if v_{backend}\n"),
		"a directive that is gone":     labelled(one, "BACKEND_HEAD", "backend {backend}\n  rspadd X-A:\\ b\n"),
		"a placeholder nobody knows":   labelled(one, "BACKEND_HEAD", "backend {nonsense}\n"),
		"a lone brace":                 labelled(one, "HTTP_FRONTEND_ACL", "  use_backend {backend} if { hdr(host) x }\n"),
		"an attribute of a value":      labelled(one, "BACKEND_HEAD", "backend {backend.x}\n"),
		"a server on this machine":     labelled(one, "BACKEND_SERVER_OPTIONS", "  server {serverName} 127.0.0.1:{port}\n"),
		"a second line in its options": labelled(checked(one), "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", "check\n  server x 10.0.0.1:1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newRenderer(t).Render([]haproxy.Proxy{bad, good})
			if diff := cmp.Diff(want, got.Config.Text()); diff != "" {
				t.Errorf("the configuration of the others (-want +got):\n%s", diff)
			}
			if len(got.Problems) != 1 || got.Problems[0].App != "/bad" || got.Problems[0].Reason != "template" {
				t.Errorf("problems %+v, want one of /bad", got.Problems)
			}
		})
	}
}

func checked(p haproxy.Proxy) haproxy.Proxy {
	p.HealthCheck = discovery.HealthCheck{Protocol: "HTTP", Path: "/h", IntervalSeconds: 5, TimeoutSeconds: 2, PortIndex: -1, JSON: `{"protocol":"HTTP"}`}
	return p
}

// A team can do without the frontend of its service port.
func TestD36AServiceMayHaveNoFrontend(t *testing.T) {
	t.Parallel()
	got := newRenderer(t).Render([]haproxy.Proxy{labelled(web("/a", 10001, "a.example.com"), "FRONTEND_HEAD", "", "FRONTEND_BACKEND_GLUE", "")})
	if len(got.Problems) > 0 {
		t.Fatal(got.Problems)
	}
	sections := sectionsOf(t, got.Config.Text())
	if slices.Contains(sections, "frontend a_10001") || !slices.Contains(sections, "backend a_10001") {
		t.Errorf("sections %q", sections)
	}
}

// What is put into every section comes after its head, wherever that stands.
func TestD36CommentsMayStandBeforeAHead(t *testing.T) {
	t.Parallel()
	got := newRenderer(t).Render([]haproxy.Proxy{labelled(web("/a", 10001, "a.example.com"), "BACKEND_HEAD", "\n  # ours\nbackend {backend}\n  mode http")})
	if len(got.Problems) > 0 {
		t.Fatal(got.Problems)
	}
	s, ok := parse(t, got.Config.Text()).Section("backend", "a_10001")
	if !ok {
		t.Fatal("no backend")
	}
	want := []string{"backend a_10001", "option redispatch 1", "retries 30", "mode http"}
	if diff := cmp.Diff(want, s.Skeleton[:4]); diff != "" {
		t.Errorf("backend (-want +got):\n%s", diff)
	}
}

func TestD34TheHealthCheckIsCompactJSON(t *testing.T) {
	t.Parallel()
	p := labelled(checked(web("/a", 10001)), "BACKEND_HTTP_HEALTHCHECK_OPTIONS", "  description '{healthCheck}'\n")
	got := newRenderer(t).Render([]haproxy.Proxy{p})
	if len(got.Problems) > 0 || !strings.Contains(got.Config.Text(), "  description '{\"protocol\":\"HTTP\"}'\n") {
		t.Errorf("problems %v:\n%s", got.Problems, got.Config.Text())
	}
}

// A text without a line break at its end does not swallow the next line.
func TestD35TheLineAfterALabelStays(t *testing.T) {
	t.Parallel()
	got := newRenderer(t).Render([]haproxy.Proxy{labelled(web("/a", 10001), "BACKEND_HTTP_OPTIONS", "  option httpclose")})
	if !strings.Contains(got.Config.Text(), "\n  option httpclose\n  server ") {
		t.Errorf("%v\n%s", got.Problems, got.Config.Text())
	}
}
