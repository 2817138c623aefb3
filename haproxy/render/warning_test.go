package render_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/certs"
	"mlb/haproxy/process"
	"mlb/haproxy/render"
	"mlb/haproxy/runtime"
	"mlb/templates"
	"mlb/test/haproxytest"
)

// everything are services that need all templates between them.
func everything() []haproxy.Proxy {
	port := 10000
	service := func(app string, change func(*discovery.Service)) haproxy.Proxy {
		port++
		s := web(app, port, "www."+strings.TrimPrefix(app, "/")+".example.com")
		change(&s.Service)
		return s
	}
	check := discovery.HealthCheck{
		Protocol: "HTTP", Path: "/health", PortIndex: 0, GracePeriodSeconds: 1, IntervalSeconds: 2, TimeoutSeconds: 3, MaxConsecutiveFailures: 4,
	}
	hosts := []string{"a.example.com", "b.example.com"}
	auth := discovery.Auth{Realm: "shop", User: "ann", Password: "$6$saltsalt$hash"}
	proxies := []haproxy.Proxy{
		service("/allowed", func(s *discovery.Service) { s.AllowedNetworks = []string{"10.0.0.0/8", "127.0.0.1"} }),
		service("/allowedtcp", func(s *discovery.Service) {
			s.Mode, s.Hosts, s.AllowedNetworks, s.HealthCheck = discovery.ModeTCP, nil, []string{"10.0.0.0/8"}, check
		}),
		service("/auth", func(s *discovery.Service) { s.Auth = auth }),
		service("/authhosts", func(s *discovery.Service) { s.Auth, s.Hosts = auth, []string{"c.example.com", "d.example.com"} }),
		service("/authhostspath", func(s *discovery.Service) {
			s.Auth, s.Path, s.Hosts = auth, "/p", []string{"e.example.com", "f.example.com"}
		}),
		service("/authpath", func(s *discovery.Service) { s.Auth, s.Path = auth, "/p" }),
		service("/checked", func(s *discovery.Service) { s.HealthCheck = check }),
		service("/hosts", func(s *discovery.Service) { s.Hosts = hosts }),
		service("/hostspath", func(s *discovery.Service) { s.Hosts, s.Path = hosts, "/p /q" }),
		service("/hsts", func(s *discovery.Service) { s.HSTS = true }),
		service("/ignorecase", func(s *discovery.Service) { s.Path = "-i /p" }),
		service("/path", func(s *discovery.Service) { s.Path = "/p" }),
		service("/proxypass", func(s *discovery.Service) { s.ProxyPassPath, s.ReverseProxyPath = "/in", "/in" }),
		service("/redirect", func(s *discovery.Service) { s.RedirectToHTTPS = true }),
		service("/redirectpath", func(s *discovery.Service) { s.RedirectToHTTPS, s.Path = true, "/p" }),
		service("/root", func(s *discovery.Service) { s.RootRedirect = "/home" }),
		service("/sticky", func(s *discovery.Service) { s.Sticky = true }),
		service("/tcp", func(s *discovery.Service) { s.Mode, s.Hosts = discovery.ModeTCP, nil }),
		service("/v6", func(s *discovery.Service) {
			s.Endpoints = append(s.Endpoints, discovery.Endpoint{
				Task: "t6", Agent: "::1", Address: netip.MustParseAddr("::1"), Port: 31999, State: discovery.Draining,
			})
		}),
	}
	slices.SortStableFunc(proxies, func(a, b haproxy.Proxy) int { return discovery.CompareServices(a.Service, b.Service) })
	return proxies
}

// frames are the instances that differ in what they render.
func frames() map[string]render.Frame {
	plain := frame()
	plain.MapDir = "/etc/haproxy"
	maps, grouped, http2, none := plain, plain, plain, plain
	maps.Map, grouped.Grouped, http2.HTTP2, none.NoHTTP = true, true, true, true
	return map[string]render.Frame{"default": plain, "contract's maps": maps, "grouped": grouped, "http/2": http2, "no http": none}
}

// HAProxy has nothing to say about the default texts, in any of its versions.
func TestDefaultTemplatesLoadWithoutWarning(t *testing.T) {
	t.Parallel()
	for name, f := range frames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newChecker(t, f)
			text := h.Render(everything())
			if len(text.Problems) > 0 {
				t.Errorf("problems %v", text.Problems)
			}
			if said := h.says(t.Context(), text); len(said) > 0 {
				t.Errorf("HAProxy %s says: %s", h.version, said)
			}
		})
	}
}

// checker renders for the HAProxy that is installed, and asks it about the text.
type checker struct {
	*render.Renderer
	binary, version, dir string
}

func newChecker(t *testing.T, f render.Frame) checker {
	t.Helper()
	h := checker{binary: haproxytest.Binary(t), dir: t.TempDir()}
	features, err := process.Probe(t.Context(), h.binary)
	if err != nil {
		t.Fatal(err)
	}
	h.version, f.Version = features.Version, haproxy.Version{Major: features.Major, Minor: features.Minor}
	f.MapDir, f.Certificates, f.ServerStateFile = h.dir, []string{filepath.Join(h.dir, "cert.pem")}, filepath.Join(h.dir, "global")
	if _, err = certs.EnsureSelfSigned(f.Certificates[0]); err != nil {
		t.Fatal(err)
	}
	if h.Renderer, err = render.New(f, nil); err != nil {
		t.Fatal(err)
	}
	return h
}

// says returns HAProxy's warnings and alerts about a text.
func (h checker) says(ctx context.Context, text render.Text) (said []string) {
	for _, m := range append(text.Config.Files, haproxy.File{Name: "haproxy.cfg", Text: text.Config.Text()}, haproxy.File{Name: "global", Text: runtime.EmptyStateFile}) {
		if err := os.WriteFile(filepath.Join(h.dir, m.Name), []byte(m.Text), 0o600); err != nil {
			return []string{err.Error()}
		}
	}
	out, err := exec.CommandContext(ctx, h.binary, "-c", "-f", filepath.Join(h.dir, "haproxy.cfg")).CombinedOutput()
	if err != nil {
		said = append(said, err.Error())
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "has the same name as") {
			continue // up to 3.2 the names stay what users know (contract D40)
		}
		if strings.HasPrefix(line, "[WARNING]") || strings.HasPrefix(line, "[ALERT]") {
			said = append(said, line)
		}
	}
	return said
}

// The test above would be worth little if a template were missing in it.
func TestEverythingUsesAllTemplates(t *testing.T) {
	t.Parallel()
	marked := render.Overrides{}
	mark := func(name string) string { return "#" + name + "#" }
	for _, name := range templates.Names() {
		d, err := templates.Default(name)
		if err != nil {
			t.Fatal(err)
		}
		marked[name] = strings.TrimSuffix(d.Text, "\n") + " " + mark(name) + "\n"
	}
	var all strings.Builder
	for _, f := range frames() {
		r, err := render.New(f, marked)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(r.Render(everything()).Config.Text())
	}
	never := []string{ // contract D39
		"HTTPS_FRONTEND_AUTH_ACL_ONLY", "HTTPS_FRONTEND_AUTH_REQUEST_ONLY", "HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH",
	}
	for _, name := range templates.Names() {
		if slices.Contains(never, name) {
			continue
		}
		if !strings.Contains(all.String(), mark(name)) {
			t.Errorf("HAPROXY_%s is not used", name)
		}
	}
}
