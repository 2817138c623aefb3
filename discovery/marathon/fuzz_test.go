package marathon_test

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// FuzzApps feeds any document: decoding and deriving never panic, and whatever
// comes out is sorted and within the grammar. Its seeds, small ones because large
// inputs slow the search down, are in testdata/fuzz.
func FuzzApps(f *testing.F) {
	f.Fuzz(func(t *testing.T, document []byte) {
		apps, err := marathon.DecodeApps(bytes.NewReader(document))
		if err != nil {
			return
		}
		opts := everything()
		opts.HealthCheck = len(document)%2 == 0
		d := marathon.NewDeriver(opts, agents(), zap.NewNop())
		first := snapshot(t, d, apps...)
		mustBeWellFormed(t, first)
		if second := snapshot(t, d, apps...); !second.Equal(first) {
			t.Errorf("a second pass over the same apps differs: %v, %v", routes(first), routes(second))
		}
	})
}

// FuzzLabels feeds any value of any label: it costs at most its own service.
func FuzzLabels(f *testing.F) {
	for _, name := range []string{"VHOST", "PATH", "PORT", "MODE", "BALANCE", "BIND_ADDR", "BACKEND_WEIGHT", "STICKY", "BACKEND_HEAD", "GROUP"} {
		for _, value := range []string{"", "a", "-i /a b", "a,b", "10", "*", "::1", "hdr(x) y", "a\nb", "\u2028", `"'\#`} {
			f.Add(name, value)
		}
	}
	for name, value := range map[string]string{
		"BIND_OPTIONS": "ssl crt /etc/ssl/a.pem alpn h2", "SSL_CERT": "/etc/ssl/a.pem", "AUTH": "realm:user:$6$hash",
		"BACKEND_NETWORK_ALLOWED_ACL": "10.0.0.0/8 ::1", "HTTP_BACKEND_PROXYPASS_PATH": "/a%2Fb", "HTTP_BACKEND_REVPROXY_PATH": "/",
		"HTTP_BACKEND_REDIR": "https://a.example/b?c#d", "BACKEND_HEALTHCHECK_PORT_INDEX": "-1", "USE_HSTS": "yes",
	} {
		f.Add(name, value)
		f.Add(name, value+"\n")
		f.Add(name, value+"\u0085")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		value = strings.ToValidUTF8(value, "\ufffd") // as every decoder of JSON makes it
		a := app("/a", ports(10000, 10001), label("HAPROXY_0_"+name, value), task("t", "10.0.0.1", 1, 2))
		got := derive(t, everything(), a, app("/b", ports(10000)))
		mustBeWellFormed(t, got)
		left := slices.DeleteFunc(routes(got), func(s string) bool { return strings.HasPrefix(s, "/a#0") })
		if !slices.Equal(left, []string{"/a#1:10001 -> 10.0.0.1:2", "/b#0:10000 ->"}) {
			t.Errorf("%q=%q costs others: %v", name, value, left)
		}
		if len(got.Services) < 3 && len(got.Problems) == 0 && name != "ENABLED" {
			t.Errorf("%q=%q costs its service silently", name, value)
		}
	})
}

// mustBeWellFormed checks what every consumer relies on.
func mustBeWellFormed(t *testing.T, s discovery.Snapshot) {
	t.Helper()
	if !slices.IsSortedFunc(s.Services, discovery.CompareServices) {
		t.Errorf("services are not sorted: %v", routes(s))
	}
	seen := map[string]map[int]bool{}
	for _, v := range s.Services {
		if seen[v.App] == nil {
			seen[v.App] = map[int]bool{}
		}
		if seen[v.App][v.PortIndex] {
			t.Errorf("%s#%d is there twice", v.App, v.PortIndex)
		}
		seen[v.App][v.PortIndex] = true
		mustBeWithinGrammar(t, v)
	}
	for _, p := range s.Problems {
		if p.Reason == "" || p.Detail == "" || len(p.Value) > 256 || len(p.App) > 4096 {
			t.Errorf("problem %+v", p)
		}
	}
}

// mustBeWithinGrammar is written apart from the parsers, from the rules alone.
func mustBeWithinGrammar(t *testing.T, v discovery.Service) {
	t.Helper()
	texts := slices.Concat([]string{
		v.App, v.BindAddress, v.Balance, v.Path, v.HealthCheck.Path, v.HealthCheck.Protocol, v.BindOptions, v.Certificate,
		v.Auth.User, v.Auth.Password, v.ProxyPassPath, v.ReverseProxyPath,
	}, v.Hosts, v.AllowedNetworks)
	for _, text := range texts {
		if len(text) > 4096 || strings.ContainsFunc(text, func(r rune) bool {
			return unicode.IsControl(r) || strings.ContainsRune("\"'#\u00a0\u2028\u2029", r)
		}) {
			t.Errorf("%s#%d: text %q", v.App, v.PortIndex, text)
		}
	}
	mustBeWithinGrammarOfTraffic(t, v)
	for _, h := range v.Hosts {
		if h == "" || len(h) > 253 || strings.ContainsAny(h, " ,:/\\$()") || h != strings.ToLower(h) {
			t.Errorf("%s#%d: host %q", v.App, v.PortIndex, h)
		}
	}
	if strings.ContainsAny(v.BindAddress, " ,/") || v.Balance == "" {
		t.Errorf("%s#%d: bind %q, balance %q", v.App, v.PortIndex, v.BindAddress, v.Balance)
	}
	if v.Mode != discovery.ModeTCP && v.Mode != discovery.ModeHTTP || v.Mode == discovery.ModeTCP && len(v.Hosts) > 0 {
		t.Errorf("%s#%d: mode %q with hosts %v", v.App, v.PortIndex, v.Mode, v.Hosts)
	}
	if v.Path != "" && v.Weight == 0 {
		t.Errorf("%s#%d: path with weight 0", v.App, v.PortIndex)
	}
	for _, o := range v.Overrides {
		if strings.ContainsFunc(o.Text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Errorf("%s#%d: override %q", v.App, v.PortIndex, o.Text)
		}
	}
	if !slices.IsSortedFunc(v.Overrides, func(a, b discovery.Override) int { return cmp.Compare(a.Template, b.Template) }) ||
		!slices.IsSortedFunc(v.Endpoints, discovery.CompareEndpoints) {
		t.Errorf("%s#%d is not sorted", v.App, v.PortIndex)
	}
	for _, e := range v.Endpoints {
		if e.Port < 1 || e.Port > 65535 || !e.Address.IsValid() || e.Address.IsUnspecified() || e.Address.Zone() != "" ||
			e.Agent == "" || strings.ContainsFunc(e.Agent, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%s#%d: endpoint %+v", v.App, v.PortIndex, e)
		}
	}
}

// mustBeWithinGrammarOfTraffic is about what protects and rewrites.
func mustBeWithinGrammarOfTraffic(t *testing.T, v discovery.Service) {
	t.Helper()
	for _, text := range []string{v.Auth.Realm, v.RootRedirect} {
		if len(text) > 4096 || strings.ContainsFunc(text, unicode.IsControl) || strings.ContainsAny(text, "\u00a0\u2028\u2029") {
			t.Errorf("%s#%d: text %q", v.App, v.PortIndex, text)
		}
	}
	if a := v.Auth; a.Exists() && (a.Realm == "" || a.User == "" || a.Password == "" || strings.ContainsAny(a.User+a.Password, " :")) {
		t.Errorf("%s#%d: auth %+v", v.App, v.PortIndex, a)
	}
	for _, path := range []string{v.ProxyPassPath, v.ReverseProxyPath, v.Certificate} {
		if path != "" && path[0] != '/' || strings.ContainsAny(path, " ?") || strings.Contains(v.Certificate, "..") {
			t.Errorf("%s#%d: path %q", v.App, v.PortIndex, path)
		}
	}
	if r := v.RootRedirect; r != "" && !strings.HasPrefix(r, "/") && !strings.HasPrefix(strings.ToLower(r), "http") || strings.ContainsAny(r, " '\"\\") {
		t.Errorf("%s#%d: redirect %q", v.App, v.PortIndex, r)
	}
	for _, n := range v.AllowedNetworks {
		if strings.ContainsFunc(n, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:/", r) }) {
			t.Errorf("%s#%d: network %q", v.App, v.PortIndex, n)
		}
	}
	for word := range strings.FieldsSeq(v.BindOptions) {
		if strings.ContainsAny(word, "@") && word != "@system-ca" || strings.HasPrefix(word, "..") {
			t.Errorf("%s#%d: bind option %q", v.App, v.PortIndex, word)
		}
	}
}
