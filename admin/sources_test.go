package admin_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/admin"
	"mlb/test/haproxytest"
)

func TestSourcesAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"all": "all", "none": "none", "": "none", " none ": "none",
		"10.1.2.3": "10.1.2.3/32", "10.1.2.3/8, ::1": "10.0.0.0/8,::1/128", "fd00::/8": "fd00::/8",
	} {
		s, err := admin.ParseSources(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, s.String()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if again, err := admin.ParseSources(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%q is read as %s, %v", s, again, err)
		}
	}
	for _, text := range []string{"everybody", "10.0.0.0/33", "10.0.0.1,,10.0.0.2", "10.0.0.1 10.0.0.2", "fe80::1%eth0", "all,none"} {
		if s, err := admin.ParseSources(text); err == nil {
			t.Errorf("%q is read as %s", text, s)
		}
	}
}

func FuzzParseSources(f *testing.F) {
	f.Add("10.0.0.0/8,::1")
	f.Add("none")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := admin.ParseSources(text)
		if err != nil {
			return
		}
		again, err := admin.ParseSources(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q: %s is read as %s, %v", text, s, again, err)
		}
	})
}

// guarded are the paths that sources decide about.
func guarded() []string {
	return []string{
		"/_mlb_signal/hup", "/_mlb_signal/usr1", "/_haproxy_getconfig", "/_haproxy_getvhostmap", "/_haproxy_getappmap", "/_mlb/problems",
	}
}

func TestD49SignalsAreForTheSources(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sources string
		remote  string
		want    int
	}{
		"everybody":                     {"all", "192.0.2.1:1", http.StatusOK},
		"nobody":                        {"none", "127.0.0.1:1", http.StatusForbidden},
		"an address":                    {"192.0.2.1", "192.0.2.1:1", http.StatusOK},
		"another address":               {"192.0.2.1", "192.0.2.2:1", http.StatusForbidden},
		"a network":                     {"10.0.0.0/8,192.0.2.0/24", "192.0.2.9:1", http.StatusOK},
		"IPv6":                          {"2001:db8::/32", "[2001:db8::1]:1", http.StatusOK},
		"IPv4 inside IPv6":              {"192.0.2.1", "[::ffff:192.0.2.1]:1", http.StatusOK},
		"an address that is none":       {"192.0.2.1", "@", http.StatusForbidden},
		"a header does not count there": {"192.0.2.1", "192.0.2.2:1", http.StatusForbidden},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sources, err := admin.ParseSources(tt.sources)
			if err != nil {
				t.Fatal(err)
			}
			s := admin.New(admin.Config{Sources: sources}, view{}, prometheus.NewRegistry(), zap.NewNop())
			answer := func(path string) int {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
				r.RemoteAddr = tt.remote
				r.Header.Set(admin.ClientHeader, "192.0.2.1")
				w := httptest.NewRecorder()
				s.Handler().ServeHTTP(w, r)
				return w.Code
			}
			for _, path := range guarded() {
				if got := answer(path); got != tt.want {
					t.Errorf("%s: %d, want %d", path, got, tt.want)
				}
			}
			for _, path := range []string{"/_haproxy_getpids", "/_mlb/live", "/_mlb/ready", "/_mlb/metrics"} {
				if got := answer(path); got != http.StatusOK {
					t.Errorf("%s: %d, want it open", path, got)
				}
			}
		})
	}
}

// Clients of the statistics listener are told apart although all of their requests
// come over one socket, and none can pass for another.
func TestD49ClientsBehindHAProxyAreToldApart(t *testing.T) {
	t.Parallel()
	sources, err := admin.ParseSources("127.7.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	socket, addr := filepath.Join(haproxytest.Dir(t), "mlb.sock"), haproxytest.FreeAddr(t)
	start(t, admin.Config{Socket: socket, Sources: sources}, view{})
	waitFor(t, "unix", socket)
	haproxytest.Start(t, "defaults\n  mode http\n  timeout connect 3s\n  timeout client 3s\n  timeout server 3s\n"+
		"listen stats\n  bind "+addr+"\n  http-request set-header "+admin.ClientHeader+" %[src]\n  server mlb unix@"+socket+"\n")
	waitFor(t, "tcp", addr)
	for client, want := range map[string]string{"127.7.1.2": "Sent SIGHUP", "127.8.1.2": "Not for clients"} {
		transport := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}).DialContext}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/_mlb_signal/hup", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(admin.ClientHeader, "127.7.1.2")
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, answer); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", client, got, want)
		}
	}
	// Who may use the socket itself is a matter of its permissions.
	if got, err := get(t, "unix", socket, "/_mlb_signal/hup"); err != nil || !strings.HasPrefix(got, "Sent") {
		t.Errorf("over the socket: %q, %v", got, err)
	}
}
