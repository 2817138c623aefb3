package marathon_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mlb/discovery/marathon"
)

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

func TestBasicCredentials(t *testing.T) {
	t.Parallel()
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, tt := range []struct {
		name, inURL string
		credentials marathon.Credentials
		want        string
	}{
		{"are not sent if there are none", "", nil, ""},
		{"may have colons in the password", "", marathon.NewBasic("bob", "a:b"), basic("bob:a:b")},
		{"may come with the URL", "eve:x%20y", nil, basic("eve:x y")},
		{"win over those of the URL", "eve:xyz", marathon.NewBasic("bob", "abc"), basic("bob:abc")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, list("/a"))
			address := m.url
			if tt.inURL != "" {
				address = withUser(address, tt.inURL)
			}
			cfg := quick()
			cfg.Credentials = tt.credentials
			got, err := newClient(t, cfg, address).Apps(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.Master != m.url {
				t.Errorf("master %q, want %q without credentials", got.Master, m.url)
			}
			if header := m.seen()[0].Header.Get("Authorization"); header != tt.want {
				t.Errorf("Authorization %q, want %q", header, tt.want)
			}
		})
	}
}

func TestBasicCredentialsPrintNothing(t *testing.T) {
	t.Parallel()
	b := marathon.NewBasic("bob", "hush")
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, b); strings.Contains(text, "hush") || strings.Contains(text, "bob") {
			t.Errorf("%s prints %s", format, text)
		}
	}
}

// redirects answers with a redirect to the same path at another base URL.
func redirects(to func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to()+r.URL.RequestURI(), http.StatusFound)
	}
}

// host is an HTTP server that notes the Authorization header of its requests.
type host struct {
	*httptest.Server
	got chan string
}

func newHost(t *testing.T, secure bool, handler http.HandlerFunc) *host {
	t.Helper()
	h := &host{got: make(chan string, 64)}
	noting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/apps") {
			h.got <- r.Header.Get("Authorization")
		}
		handler(w, r)
	})
	h.Server = httptest.NewUnstartedServer(noting)
	if secure {
		h.StartTLS()
	} else {
		h.Start()
	}
	t.Cleanup(h.Close)
	return h
}

func listHandler(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(twoApps))
}

func TestD16CredentialsFollowARedirectOnlyToKnownHosts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		configured   bool // the target is a configured master
		header       bool // the standby names the target in X-Marathon-Leader
		leader       bool // /v2/leader names the target
		secureOrigin bool
		secureTarget bool
		want         bool
	}{
		{name: "a configured master gets them", configured: true, want: true},
		{name: "the leader by header gets them", header: true, want: true},
		{name: "the leader by answer gets them", leader: true, want: true},
		{name: "a stranger does not"},
		{name: "the leader does not in the clear", leader: true, header: true, secureOrigin: true},
		{name: "the leader does behind TLS", leader: true, secureOrigin: true, secureTarget: true, want: true},
		{name: "a configured master does in the clear", configured: true, secureOrigin: true, want: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := newHost(t, tt.secureTarget, listHandler)
			origin := newHost(t, tt.secureOrigin, func(w http.ResponseWriter, r *http.Request) {
				if tt.header {
					w.Header().Set("X-Marathon-Leader", target.URL)
				}
				if r.URL.Path == "/v2/leader" {
					leader := "elsewhere.example:8080"
					if tt.leader {
						leader = target.Listener.Addr().String()
					}
					_, _ = fmt.Fprintf(w, `{"leader":%q}`, leader)
					return
				}
				redirects(func() string { return target.URL })(w, r)
			})
			addresses := []string{origin.URL}
			if tt.configured {
				addresses = append(addresses, target.URL)
			}
			cfg := quick()
			cfg.Credentials = marathon.NewBasic("bob", "hush")
			got, err := newClient(t, cfg, addresses...).Apps(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Apps) != 2 {
				t.Errorf("%d apps, want 2", len(got.Apps))
			}
			if header := <-origin.got; header == "" {
				t.Error("the configured master got no credentials")
			}
			if header := <-target.got; (header != "") != tt.want {
				t.Errorf("the target got %q, want credentials: %v", header, tt.want)
			}
		})
	}
}

func TestMoreThanTwoRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for hops, good := range map[int]bool{1: true, 2: true, 3: false} {
		t.Run(fmt.Sprintf("%d hops", hops), func(t *testing.T) {
			t.Parallel()
			next := newHost(t, false, listHandler)
			for range hops {
				to := next.URL
				next = newHost(t, false, redirects(func() string { return to }))
			}
			if _, err := newClient(t, quick(), next.URL).Apps(t.Context()); (err == nil) != good {
				t.Errorf("error %v, want success: %v", err, good)
			}
		})
	}
}

func TestK1CertificatesOfMarathon(t *testing.T) {
	t.Parallel()
	server := newHost(t, true, listHandler)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, string(content))
		return path
	}
	right := write("right.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	wrong := write("wrong.pem", []byte(otherCertificate))
	t.Run("are not verified without a file", func(t *testing.T) {
		t.Parallel()
		if _, err := newClient(t, quick(), server.URL).Apps(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("derive from the file", func(t *testing.T) {
		t.Parallel()
		cfg := quick()
		cfg.CAFile = right
		if _, err := newClient(t, cfg, server.URL).Apps(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("of somebody else are refused", func(t *testing.T) {
		t.Parallel()
		cfg := quick()
		cfg.CAFile = wrong
		if _, err := newClient(t, cfg, server.URL).Apps(t.Context()); err == nil {
			t.Error("no error")
		}
	})
	for name, path := range map[string]string{"missing file": filepath.Join(dir, "none.pem"), "file without certificates": write("empty.pem", nil)} {
		t.Run(name+" is an error at start", func(t *testing.T) {
			t.Parallel()
			cfg := quick()
			cfg.CAFile = path
			_, err := marathon.NewClient(cfg, newMasters(t, server.URL), marathon.NewMetrics(nil))
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v does not name %s", err, path)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestProxyIsUsed(t *testing.T) {
	t.Parallel()
	proxy := newHost(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "marathon.example:8080" {
			http.Error(w, "not a request to a proxy", http.StatusBadRequest)
			return
		}
		listHandler(w, r)
	})
	cfg := quick()
	cfg.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	if _, err := newClient(t, cfg, "http://marathon.example:8080").Apps(t.Context()); err != nil {
		t.Error(err)
	}
}

// otherCertificate belongs to nobody in these tests.
const otherCertificate = `-----BEGIN CERTIFICATE-----
MIIBhjCCAS2gAwIBAgIUBl99soXpRKifPXkuwQM5goqQ8tAwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNb3RoZXIuZXhhbXBsZTAgFw0yNjExMjUwMDExMTJaGA8yMTI2
MTEwMTAwMTExMlowGDEWMBQGA1UEAwwNb3RoZXIuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABHDbQ4Knjhssd3gpS4OkRQaXJiuWUfanU2SY1rNUDrxX
WmaC/4EvldO/Cb23wkreIbVT6C91/eB5mqzs5zVzbQCjUzBRMB0GA1UdDgQWBBT5
LbfUQvjG/0yMUbU62M+IwMvOaTAfBgNVHSMEGDAWgBT5LbfUQvjG/0yMUbU62M+I
wMvOaTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIBgEoW7okCbv
JC5OOdPnCwwthC+B6Jk1RcN1T0khol3xAiAW+ZJ+lzOBAKzwzlwLyhBpcQcxw/IN
FRyr6JMeBJXDbA==
-----END CERTIFICATE-----`
