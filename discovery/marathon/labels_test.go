package marathon_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// labelled derives one service with the given value of HAPROXY_0_<name>, beside
// a neighbour that must never suffer.
func labelled(t *testing.T, name, value string, more ...appOption) (discovery.Service, []discovery.Problem) {
	t.Helper()
	opts := append([]appOption{ports(10000), label("HAPROXY_0_"+name, value)}, more...)
	got := derive(t, external(), app("/a", opts...), app("/neighbour", ports(10000)))
	if n := len(got.Services); n == 0 || got.Services[n-1].App != "/neighbour" {
		t.Fatalf("routes %v: the neighbour is gone", routes(got))
	}
	if len(got.Services) == 1 {
		return discovery.Service{}, got.Problems
	}
	return got.Services[0], got.Problems
}

func TestLabelValues(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		name, value string
		more        []appOption
		want        func(*discovery.Service)
	}{
		"VHOST: lower case":          {"VHOST", "Web.Example.COM", nil, func(s *discovery.Service) { s.Hosts = []string{"web.example.com"} }},
		"VHOST: commas and blanks":   {"VHOST", " a.x, b.x  c.x,,", nil, func(s *discovery.Service) { s.Hosts = []string{"a.x", "b.x", "c.x"} }},
		"VHOST: no duplicates":       {"VHOST", "a.x,A.X,b.x", nil, func(s *discovery.Service) { s.Hosts = []string{"a.x", "b.x"} }},
		"VHOST: a star is literal":   {"VHOST", "*.a_b.x", nil, func(s *discovery.Service) { s.Hosts = []string{"*.a_b.x"} }},
		"VHOST: UTF-8 as it is":      {"VHOST", "bücher.example", nil, func(s *discovery.Service) { s.Hosts = []string{"bücher.example"} }},
		"VHOST: 253 bytes":           {"VHOST", strings.Repeat("a", 253), nil, func(s *discovery.Service) { s.Hosts = []string{strings.Repeat("a", 253)} }},
		"VHOST: a list of nothing":   {"VHOST", " , ", nil, func(s *discovery.Service) { s.Mode = discovery.ModeTCP }},
		"VHOST: empty is none":       {"VHOST", "", nil, func(s *discovery.Service) { s.Mode = discovery.ModeTCP }},
		"PATH: weight 0 becomes 1":   {"PATH", "/api", nil, func(s *discovery.Service) { s.Path, s.Weight = "/api", 1 }},
		"PATH: explicit weight 0":    {"PATH", "/", []appOption{label("HAPROXY_0_BACKEND_WEIGHT", "0")}, func(s *discovery.Service) { s.Path, s.Weight = "/", 1 }},
		"PATH: other weights stay":   {"PATH", "/", []appOption{label("HAPROXY_0_BACKEND_WEIGHT", " -5 ")}, func(s *discovery.Service) { s.Path, s.Weight = "/", -5 }},
		"PATH: flag and two words":   {"PATH", "-i /Multiple  /paths", nil, func(s *discovery.Service) { s.Path, s.Weight = "-i /Multiple /paths", 1 }},
		"PATH: match method":         {"PATH", "-m sub -- -a/b", nil, func(s *discovery.Service) { s.Path, s.Weight = "-m sub -- -a/b", 1 }},
		"PATH: RFC 3986":             {"PATH", "/a%2Fb;v=1,2/(x)*+$&!:@~_.-", nil, func(s *discovery.Service) { s.Path, s.Weight = "/a%2Fb;v=1,2/(x)*+$&!:@~_.-", 1 }},
		"PATH: empty is none":        {"PATH", "", nil, func(*discovery.Service) {}},
		"PORT":                       {"PORT", " 8080 ", nil, func(s *discovery.Service) { s.ServicePort = 8080 }},
		"PORT: out of range is kept": {"PORT", "70000", nil, func(s *discovery.Service) { s.ServicePort = 70000 }},
		"PORT: 0 is kept":            {"PORT", "+0", nil, func(s *discovery.Service) { s.ServicePort = 0 }},
		"MODE: any case":             {"MODE", "HTTP", nil, func(s *discovery.Service) { s.Mode = discovery.ModeHTTP }},
		"BALANCE":                    {"BALANCE", "leastconn", nil, func(s *discovery.Service) { s.Balance = "leastconn" }},
		"BALANCE: with arguments":    {"BALANCE", "hdr(X-User)  use_domain_only", nil, func(s *discovery.Service) { s.Balance = "hdr(X-User) use_domain_only" }},
		"BIND_ADDR: IPv4":            {"BIND_ADDR", "192.0.2.1", nil, func(s *discovery.Service) { s.BindAddress = "192.0.2.1" }},
		"BIND_ADDR: IPv6":            {"BIND_ADDR", "::1", nil, func(s *discovery.Service) { s.BindAddress = "::1" }},
		"BIND_ADDR: IPv6 in braces":  {"BIND_ADDR", "[::1]", nil, func(s *discovery.Service) { s.BindAddress = "::1" }},
		"BIND_ADDR: any IPv4":        {"BIND_ADDR", "0.0.0.0", nil, func(s *discovery.Service) { s.BindAddress = "0.0.0.0" }},
		"BIND_ADDR: star":            {"BIND_ADDR", "*", nil, func(s *discovery.Service) { s.BindAddress = "*" }},
		"BIND_ADDR: name":            {"BIND_ADDR", "agent-1", nil, func(s *discovery.Service) { s.BindAddress = "10.0.1.11" }},
		"BIND_ADDR: empty is none":   {"BIND_ADDR", "", nil, func(*discovery.Service) {}},
		"BACKEND_WEIGHT":             {"BACKEND_WEIGHT", "-3", nil, func(s *discovery.Service) { s.Weight = -3 }},
		"STICKY: yes":                {"STICKY", "Y", nil, func(s *discovery.Service) { s.Sticky = true }},
		"STICKY: not trimmed":        {"STICKY", " yes", nil, func(*discovery.Service) {}},
		"STICKY: 1 is no":            {"STICKY", "1", nil, func(*discovery.Service) {}},
		"STICKY: any text is no":     {"STICKY", "line\nbreak", nil, func(*discovery.Service) {}},
		"REDIRECT_TO_HTTPS":          {"REDIRECT_TO_HTTPS", "T", nil, func(s *discovery.Service) { s.RedirectToHTTPS = true }},
		"a template's text": {"BACKEND_SERVER_OPTIONS", "  server {serverName}\r\n\t{port} weight 1\n", nil, func(s *discovery.Service) {
			s.Overrides = []discovery.Override{{Template: "BACKEND_SERVER_OPTIONS", Text: "  server {serverName}\n\t{port} weight 1\n"}}
		}},
		"an empty template is one too": {"BACKEND_HEAD", "", nil, func(s *discovery.Service) {
			s.Overrides = []discovery.Override{{Template: "BACKEND_HEAD"}}
		}},
		"a path under a template's name (K11)": {"HTTP_BACKEND_REDIR", "/x?y=1", nil, func(s *discovery.Service) { s.RootRedirect = "/x?y=1" }},
		"HTTP_BACKEND_REDIR: URL": {"HTTP_BACKEND_REDIR", "https://x.example.com/a", nil, func(s *discovery.Service) {
			s.RootRedirect = "https://x.example.com/a"
		}},
		"BIND_OPTIONS": {"BIND_OPTIONS", "  ssl-min-ver TLSv1.3  alpn h2,http/1.1", nil, func(s *discovery.Service) {
			s.BindOptions = "ssl-min-ver TLSv1.3 alpn h2,http/1.1"
		}},
		"BIND_OPTIONS: a file beside the certificate": {
			"BIND_OPTIONS", "ca-file /certs/ca.pem verify required",
			[]appOption{label("HAPROXY_0_SSL_CERT", "/certs/a.pem")},
			func(s *discovery.Service) {
				s.BindOptions, s.Certificate = "ca-file /certs/ca.pem verify required", "/certs/a.pem"
			},
		},
		"USE_HSTS": {"USE_HSTS", "yes", nil, func(s *discovery.Service) { s.HSTS = true }},
		"AUTH": {"AUTH", "My Realm, 1#:alice:$6$salt$hash.", nil, func(s *discovery.Service) {
			s.Auth = discovery.Auth{Realm: "My Realm, 1#", User: "alice", Password: "$6$salt$hash."}
		}},
		"BACKEND_NETWORK_ALLOWED_ACL": {"BACKEND_NETWORK_ALLOWED_ACL", "10.0.0.0/8  ::1 10.0.0.0/8", nil, func(s *discovery.Service) {
			s.AllowedNetworks = []string{"10.0.0.0/8", "::1"}
		}},
		"HTTP_BACKEND_PROXYPASS_PATH": {"HTTP_BACKEND_PROXYPASS_PATH", "/a.b/", nil, func(s *discovery.Service) { s.ProxyPassPath = "/a.b/" }},
		"HTTP_BACKEND_REVPROXY_PATH":  {"HTTP_BACKEND_REVPROXY_PATH", "/r", nil, func(s *discovery.Service) { s.ReverseProxyPath = "/r" }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := discovery.Service{App: "/a", ServicePort: 10000, Mode: discovery.ModeTCP, Balance: "roundrobin"}
			if strings.HasPrefix(name, "VHOST") {
				want.Mode = discovery.ModeHTTP
			}
			tt.want(&want)
			got, problems := labelled(t, tt.name, tt.value, tt.more...)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("service (-want +got):\n%s", diff)
			}
			if len(problems) > 0 {
				t.Errorf("problems %+v", problems)
			}
		})
	}
}

func TestD23ValuesOutsideTheGrammarCostTheService(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value string }{
		{"VHOST", "test.example.com:8080"},
		{"VHOST", "a/b"},
		{"VHOST", "a.x,-f"},
		{"VHOST", strings.Repeat("a", 254)},
		{"PATH", "-f /etc/passwd"},
		{"PATH", "-m reg ^/"},
		{"PATH", "-u x /"},
		{"PATH", "-i"},
		{"PATH", "/a?b"},
		{"PATH", "/a%2"},
		{"PATH", "/o'clock"},
		{"PATH", "/é"},
		{"PORT", "http"},
		{"PORT", ""},
		{"PORT", "0x1F90"},
		{"PORT", "80.0"},
		{"PORT", "99999999999"},
		{"MODE", "health"},
		{"MODE", ""},
		{"SSL_CERT", "/dev/zero"},
		{"SSL_CERT", "//dev/./zero"},
		{"SSL_CERT", "/proc/self/environ"},
		{"BALANCE", "fastest"},
		{"BALANCE", "random(2147483647)"},
		{"BALANCE", "random(0)"},
		{"BALANCE", "random(2)x"},
		{"BALANCE", ""},
		{"BALANCE", `roundrobin\`},
		{"BALANCE", "hdr(é)"},
		{"BIND_ADDR", "nowhere.example"},
		{"BIND_ADDR", "unix@/run/x"},
		{"BIND_ADDR", "fe80::1%eth0"},
		{"BIND_ADDR", "[10.0.0.1]"},
		{"BIND_ADDR", "10.0.0.1:80"},
		{"BIND_OPTIONS", "fd@3"},
		{"BIND_OPTIONS", "level admin"},
		{"BIND_OPTIONS", "user root mode 777"},
		{"BIND_OPTIONS", "ca-file /etc/passwd"},
		{"BIND_OPTIONS", "ca-file /certs/../etc/x"},
		{"BIND_OPTIONS", "alpn"},
		{"SSL_CERT", "a.pem"},
		{"SSL_CERT", "/a/../b.pem"},
		{"SSL_CERT", "/a.pem crt /b.pem"},
		{"BACKEND_NETWORK_ALLOWED_ACL", "10.0.0.0/8,127.0.0.1"},
		{"BACKEND_NETWORK_ALLOWED_ACL", "-f /etc/passwd"},
		{"BACKEND_NETWORK_ALLOWED_ACL", "localhost"},
		{"BACKEND_NETWORK_ALLOWED_ACL", "  "},
		{"HTTP_BACKEND_PROXYPASS_PATH", "api"},
		{"HTTP_BACKEND_PROXYPASS_PATH", "/a /b"},
		{"HTTP_BACKEND_REVPROXY_PATH", "/a?b"},
		{"HTTP_BACKEND_REDIR", "javascript:x"},
		{"HTTP_BACKEND_REDIR", "x"},
		{"HTTP_BACKEND_REDIR", "/a b"},
		{"BACKEND_HEAD", "  balance\x00first"},
		{"BACKEND_HEAD", "a\rb"},
	}
	hostile := []string{"a\nglobal", "a#b", `a"b`, "a'b", "a\x7fb", "a\u0085b", "a\u00a0b", "a\u2028b", "a\u2029b", strings.Repeat("a", 5000)}
	for _, name := range []string{
		"VHOST", "PATH", "PORT", "MODE", "BALANCE", "BIND_ADDR", "BIND_OPTIONS", "SSL_CERT", "BACKEND_NETWORK_ALLOWED_ACL",
		"HTTP_BACKEND_PROXYPASS_PATH", "HTTP_BACKEND_REVPROXY_PATH", "HTTP_BACKEND_REDIR",
	} {
		for _, value := range hostile {
			tests = append(tests, struct{ name, value string }{name, value})
		}
	}
	for _, value := range []string{"a\u0085b", "a\u00a0b", "a\u2028b", strings.Repeat("a", 5000)} {
		tests = append(tests, struct{ name, value string }{"FRONTEND_HEAD", value})
	}
	for _, tt := range tests {
		service, problems := labelled(t, tt.name, tt.value)
		if service.App != "" {
			t.Errorf("%s=%.40q: service %+v, want none", tt.name, tt.value, service)
		}
		if len(problems) != 1 {
			t.Errorf("%s=%.40q: problems %+v, want one", tt.name, tt.value, problems)
			continue
		}
		p := problems[0]
		if p.App != "/a" || p.PortIndex != 0 || p.Label != "HAPROXY_0_"+tt.name || p.Detail == "" || len(p.Value) > 256 ||
			!strings.HasPrefix(tt.value, strings.TrimSuffix(p.Value, "…")) {
			t.Errorf("%s=%.40q: problem %+v", tt.name, tt.value, p)
		}
	}
}

// D26: what should be closed is never left open, and the value is never shown.
func TestD26AuthThatIsNotWholeCostsTheService(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"", "realm:alice", ":alice:hash", "realm::hash", "realm:alice:", "realm:alice:hash:more", "r:a b:h", "r:a:h h",
		"r:a\"b:h", "r:a:h'", "r\n:a:h", "r\u202f:a:h", "r:é:h",
	} {
		service, problems := labelled(t, "AUTH", value, label("HAPROXY_0_VHOST", "a.example.com"))
		if service.App != "" || len(problems) != 1 || problems[0].Label != "HAPROXY_0_AUTH" {
			t.Errorf("%q: service %+v, problems %+v", value, service, problems)
			continue
		}
		if value != "" && strings.Contains(problems[0].Value+problems[0].Detail, value) {
			t.Errorf("%q is shown in %+v", value, problems[0])
		}
	}
}

// D22: labels that mlb does not know, or that name a port that is not there, cost
// nothing and are reported.
func TestD22UnknownLabelsAreReportedWithTheNearestName(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"HAPROXY_0_VHSOT":                      "; did you mean HAPROXY_0_VHOST?",
		"HAPROXY_3_BACKEND_HTTPS_OPTIONS":      "; did you mean HAPROXY_3_BACKEND_HTTP_OPTIONS?",
		"HAPROXY_0_vhost":                      "; did you mean HAPROXY_0_VHOST?",
		"HAPROXY_VHOST":                        "; did you mean HAPROXY_0_VHOST?",
		"HAPROXY_0_DEPLOYMENT_GROUP":           "; did you mean HAPROXY_DEPLOYMENT_GROUP?",
		"HAPROXY_0_FANCY_WORD":                 "mlb knows no such label",
		"HAPROXY_0_":                           "mlb knows no such label",
		"HAPROXY_":                             "mlb knows no such label",
		"HAPROXY_00_MODE":                      "; did you mean HAPROXY_0_MODE?",
		"HAPROXY_0_" + strings.Repeat("X", 99): "mlb knows no such label",
		"HAPROXY_9_MODE":                       "the app has 1 service ports",
		"HAPROXY_GRUOP":                        "did you mean HAPROXY_GROUP?",
	} {
		got := derive(t, external(), app("/a", ports(10000), label(key, "x\n")))
		if len(got.Services) != 1 || len(got.Problems) != 1 {
			t.Errorf("%s: services %+v, problems %+v; want one of each", key, got.Services, got.Problems)
			continue
		}
		if p := got.Problems[0]; p.Label != key || !strings.HasSuffix(p.Detail, want) && !strings.HasPrefix(p.Detail, want) || p.Value != "" {
			t.Errorf("%s: problem %+v, want %q", key, p, want)
		}
	}
}

// D22: a health check index that cannot be read is ignored, as a weight is.
func TestD22ABadHealthCheckIndexIsOnlyIgnored(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "one", "1.0", "1\n", "99999999999"} {
		service, problems := labelled(t, "BACKEND_HEALTHCHECK_PORT_INDEX", value, check("HTTP", portIndex(0)))
		if service.App == "" || service.CheckPortFrom || len(problems) != 1 || !strings.HasSuffix(problems[0].Detail, "the label is ignored") {
			t.Errorf("%q: service %+v, problems %+v; want the service and one problem", value, service, problems)
		}
	}
}

// Files of bind options are those of certificates (contract 10.3).
func TestD23FilesOfBindOptionsAreInFoldersOfCertificates(t *testing.T) {
	t.Parallel()
	opts := external()
	opts.CertificateFolders = []string{"/etc/ssl", "/certs/"}
	for value, taken := range map[string]bool{
		"ca-file /etc/ssl/ca.pem verify required crl-file /certs/x/crl.pem": true,
		"crt /certs": true,
		"ssl crt-list /etc/ssl/list.txt tls-ticket-keys /etc/ssl/keys": true,
		"ca-file @system-ca":                         true,
		"ca-file /etc/sslx/ca.pem":                   false,
		"ca-file ca.pem":                             false,
		"ca-file @other":                             false,
		"crt /certs/../etc/shadow":                   false,
		"crt /certs//x.pem":                          false,
		"crt /certs/a.pem crl-file /root/crl.pem":    false,
		"ca-sign-file /ca.pem":                       false,
		"ca-sign-pass secret ca-sign-file /certs/ca": false,
	} {
		got := derive(t, opts, app("/a", ports(10000), label("HAPROXY_0_BIND_OPTIONS", value), label("HAPROXY_0_SSL_CERT", "/site.pem")))
		if (len(got.Services) == 1) != taken || (len(got.Problems) == 0) != taken {
			t.Errorf("%q: services %d, problems %+v; taken should be %t", value, len(got.Services), got.Problems, taken)
		}
	}
}

// K11: the label named like the template HTTP_BACKEND_REDIR holds the path, so no
// label replaces that template.
func TestK11TheLabelOfTheRedirectIsItsTarget(t *testing.T) {
	t.Parallel()
	service, problems := labelled(t, "HTTP_BACKEND_REDIR", "/login")
	if service.RootRedirect != "/login" || len(service.Overrides) > 0 || len(problems) > 0 {
		t.Errorf("service %+v, problems %+v", service, problems)
	}
	if service, _ := labelled(t, "HTTP_BACKEND_REDIR", "  http-request redirect location {redirpath}\n"); service.App != "" {
		t.Errorf("service %+v, want none: a template is no path", service)
	}
}

func TestABadWeightIsOnlyIgnored(t *testing.T) {
	t.Parallel()
	service, problems := labelled(t, "BACKEND_WEIGHT", "heavy", label("HAPROXY_0_PATH", "/"))
	if service.Weight != 1 || len(problems) != 1 || problems[0].Label != "HAPROXY_0_BACKEND_WEIGHT" {
		t.Errorf("weight %d, problems %+v; want 1 and one problem", service.Weight, problems)
	}
}

func TestMode(t *testing.T) {
	t.Parallel()
	host, tcp := label("HAPROXY_0_VHOST", "a.x"), label("HAPROXY_0_MODE", "tcp")
	tests := map[string]struct {
		app  []appOption
		want discovery.Mode // empty: the service is left out
	}{
		"undecided is tcp":                      {nil, discovery.ModeTCP},
		"a virtual host makes it http":          {[]appOption{host}, discovery.ModeHTTP},
		"an own check HTTP makes it http":       {[]appOption{check("HTTP", portIndex(0))}, discovery.ModeHTTP},
		"the check of another port does not":    {[]appOption{check("HTTP", portIndex(1))}, discovery.ModeTCP},
		"only the protocol HTTP does (K8)":      {[]appOption{check("HTTPS", portIndex(0)), check("MESOS_HTTP", fixedPort(1))}, discovery.ModeTCP},
		"the label beats the check":             {[]appOption{check("HTTP", portIndex(0)), tcp}, discovery.ModeTCP},
		"tcp with a virtual host cannot be had": {[]appOption{host, tcp}, ""},
		"that a check says TCP does not matter": {[]appOption{host, check("TCP", portIndex(0))}, discovery.ModeHTTP},
		"a port that is named HTTP by a label":  {[]appOption{label("HAPROXY_0_MODE", "http")}, discovery.ModeHTTP},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := derive(t, external(), app("/a", append(tt.app, ports(10000))...))
			if tt.want == "" {
				if len(got.Services) > 0 || len(got.Problems) != 1 {
					t.Errorf("%v, problems %v; want none and one", routes(got), reasons(got))
				}
				return
			}
			if len(got.Services) != 1 || got.Services[0].Mode != tt.want || len(got.Problems) > 0 {
				t.Errorf("services %+v, problems %v; want mode %s", got.Services, reasons(got), tt.want)
			}
		})
	}
}

func TestOneBadPortLeavesTheOthersOfItsApp(t *testing.T) {
	t.Parallel()
	got := derive(t, external(), app("/a", ports(10000, 10001), label("HAPROXY_0_VHOST", "a b;"), task("t", "10.0.0.1", 1, 2)))
	if diff := cmp.Diff([]string{"/a#1:10001 -> 10.0.0.1:2"}, routes(got)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func TestK16Groups(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		groups []string
		app    []appOption
		want   []int // indexes of the ports that are taken
	}{
		"the app's group":                        {[]string{"external"}, nil, []int{0, 1}},
		"another group":                          {[]string{"internal"}, nil, nil},
		"any of several":                         {[]string{"x", "external"}, nil, []int{0, 1}},
		"any of the label's list":                {[]string{"b"}, []appOption{label("HAPROXY_GROUP", "a,b")}, []int{0, 1}},
		"names are not trimmed":                  {[]string{"b"}, []appOption{label("HAPROXY_GROUP", "a, b")}, nil},
		"names have case":                        {[]string{"External"}, nil, nil},
		"a flag with a comma is one name":        {[]string{"a,b"}, []appOption{label("HAPROXY_GROUP", "a,b")}, nil},
		"a star in a label is an ordinary name":  {[]string{"external"}, []appOption{label("HAPROXY_GROUP", "*")}, nil},
		"the port's label beats the app's":       {[]string{"external"}, []appOption{label("HAPROXY_1_GROUP", "internal")}, []int{0}},
		"the port's label alone":                 {[]string{"p"}, []appOption{unlabelled(), label("HAPROXY_1_GROUP", "p")}, []int{1}},
		"an empty port label hides it":           {[]string{"external"}, []appOption{label("HAPROXY_0_GROUP", "")}, []int{1}},
		"an empty name matches an empty flag":    {[]string{""}, []appOption{label("HAPROXY_0_GROUP", "")}, []int{0}},
		"without labels only with a star (K16)":  {[]string{"external", ""}, []appOption{unlabelled()}, nil},
		"a star takes apps without labels (K16)": {[]string{"*"}, []appOption{unlabelled()}, []int{0, 1}},
		"a star takes empty labels":              {[]string{"*"}, []appOption{label("HAPROXY_0_GROUP", "")}, []int{0, 1}},
		"disabled":                               {[]string{"external"}, []appOption{label("HAPROXY_0_ENABLED", "no")}, []int{1}},
		"disabled by an empty value":             {[]string{"external"}, []appOption{label("HAPROXY_0_ENABLED", "")}, []int{1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := external()
			opts.Groups = tt.groups
			got := derive(t, opts, app("/a", append([]appOption{ports(10000, 10001)}, tt.app...)...))
			var indexes []int
			for _, s := range got.Services {
				indexes = append(indexes, s.PortIndex)
			}
			if diff := cmp.Diff(tt.want, indexes); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("strict mode takes what a port's label enables", func(t *testing.T) {
		t.Parallel()
		opts := external()
		opts.StrictMode = true
		a := app("/a", ports(1, 2, 3), label("HAPROXY_ENABLED", "true"), label("HAPROXY_1_ENABLED", "True"), label("HAPROXY_2_ENABLED", "no"))
		if diff := cmp.Diff([]string{"/a#1:2 ->"}, routes(derive(t, opts, a))); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
	})
	t.Run("an app of another balancer is not reported", func(t *testing.T) {
		t.Parallel()
		opts := external()
		opts.Groups = []string{"internal"}
		if got := derive(t, opts, app("/a", ports(1, 1), label("HAPROXY_0_PORT", "x"), task("t", ""))); len(got.Problems) > 0 {
			t.Errorf("problems %v", reasons(got))
		}
	})
	t.Run("the balancer itself is skipped", func(t *testing.T) {
		t.Parallel()
		opts := everything()
		opts.Framework = "lb/external"
		got := derive(t, opts, app("/lb/external", ports(1)), app("/lb/external/x", ports(2)), marathon.App{ID: "lb/external", Fault: "x"})
		if diff := cmp.Diff([]string{"/lb/external/x#0:2 ->"}, routes(got)); diff != "" || len(got.Problems) > 0 {
			t.Errorf("problems %v, routes (-want +got):\n%s", reasons(got), diff)
		}
	})
}
