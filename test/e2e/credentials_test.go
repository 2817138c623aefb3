package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/test/balancer"
)

// asked is a server in the place of Marathon, Vault and DC/OS that notes who asks.
type asked struct {
	*httptest.Server
	// seen are the path and the Authorization header of each request, or the name of
	// the host when it comes through a proxy.
	seen chan string
}

// newAsked starts a server that has no apps, the secret "eve:from vault" and the token
// "t1". With a certificate it is what the balancer's file ca.pem verifies.
func newAsked(t *testing.T, b *balancer.Balancer, secure bool) *asked {
	t.Helper()
	a := &asked{seen: make(chan string, 64)}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect:
			a.seen <- "CONNECT " + r.Host
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Host != "":
			a.seen <- "PROXY " + r.URL.Host
			_, _ = w.Write([]byte(`{"apps":[]}`))
		case r.URL.Path == "/v1/secret/marathon":
			a.seen <- "vault " + r.Header.Get("X-Vault-Token")
			_, _ = w.Write([]byte(`{"data":{"data":{"user":"eve","pass":"from vault"}}}`))
		case r.URL.Path == "/login":
			http.SetCookie(w, &http.Cookie{Name: "dcos-acs-auth-cookie", Value: "t1"})
			a.seen <- "login"
		default:
			a.seen <- "apps " + r.Header.Get("Authorization")
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"apps":[]}`))
		}
	}))
	if secure {
		a.StartTLS()
		must(t, os.WriteFile(b.Path("ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}), 0o600))
	} else {
		a.Start()
	}
	t.Cleanup(a.Close)
	return a
}

// requests returns what was asked.
func (a *asked) requests() []string {
	close(a.seen)
	var all []string
	for one := range a.seen {
		all = append(all, one)
	}
	return all
}

// serviceAccount is a DC/OS service account for the server.
func (a *asked) serviceAccount(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	text, err := json.Marshal(map[string]string{
		"uid": "lb", "login_endpoint": a.URL + "/login",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	must(t, err)
	return string(text)
}

// basic is the header of basic authentication.
func basic(pair string) string {
	return "apps Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// A later source of contract 1.1 step 7 wins over an earlier one, and none shows in the
// log (D2).
func TestD2CredentialsReachMarathonAndNothingElse(t *testing.T) {
	t.Parallel()
	vault := func(a *asked) []string {
		host, port, _ := net.SplitHostPort(a.Listener.Addr().String())
		return []string{"VAULT_TOKEN=hush", "VAULT_HOST=" + host, "VAULT_PORT=" + port, "VAULT_PATH=v1/secret/marathon"}
	}
	user := []string{"MARATHON_USER=joe", "MARATHON_PASSWORD=hush:b%'$"}
	for name, tt := range map[string]struct {
		env  func(a *asked) []string
		args []string
		want []string
	}{
		"user and password": {func(*asked) []string { return user }, nil, []string{basic("joe:hush:b%'$")}},
		"a user without a password is none": {
			func(*asked) []string { return user[:1] }, nil, []string{"apps "},
		},
		"Vault by host, port and path": {vault, nil, []string{"vault hush", basic("eve:from vault")}},
		"Vault by URL": {
			func(a *asked) []string {
				return []string{"VAULT_TOKEN=hush", "VAULT_URL=" + a.URL + "/v1/secret/marathon"}
			},
			nil,
			[]string{"vault hush", basic("eve:from vault")},
		},
		"user and password before Vault": {func(a *asked) []string { return append(vault(a), user...) }, nil, []string{basic("joe:hush:b%'$")}},
		"a flag before both": {
			func(a *asked) []string { return append(vault(a), user...) },
			[]string{"--auth-credentials", "ann:hush hush"},
			[]string{basic("ann:hush hush")},
		},
		"a file before all": {
			func(a *asked) []string { return append(vault(a), user...) },
			[]string{"--auth-credentials", "ann:hush", "--marathon-auth-credential-file", "secret"},
			[]string{basic("file:hush")},
		},
		"an account of DC/OS": {
			func(a *asked) []string { return []string{"DCOS_SERVICE_ACCOUNT_CREDENTIAL=" + a.serviceAccount(t)} },
			nil,
			[]string{"login", "apps token=t1"},
		},
		"user and password before an account": {
			func(a *asked) []string { return append(user, "DCOS_SERVICE_ACCOUNT_CREDENTIAL="+a.serviceAccount(t)) },
			nil,
			[]string{basic("joe:hush:b%'$")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBalancer(t, "x", nil)
			must(t, os.WriteFile(b.Path("secret"), []byte("file:hush\n"), 0o600))
			a := newAsked(t, b, true)
			b.Env = tt.env(a)
			cmd := b.Prepare(t.Context(), append([]string{"sse", "--dry", "--group", "x", "-m", a.URL, "--marathon-ca-cert", b.Path("ca.pem")}, tt.args...)...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(tt.want, a.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			for _, secret := range []string{"hush", "from vault", "PRIVATE KEY", "t1"} {
				if strings.Contains(string(out), secret) {
					t.Errorf("the output holds a secret:\n%s", out)
				}
			}
		})
	}
}

// A start without the credentials that were promised would be one without apps.
func TestD3VaultThatCannotBeAskedEndsTheStart(t *testing.T) {
	t.Parallel()
	b := newBalancer(t, "x", nil)
	a := newAsked(t, b, true)
	for name, line := range map[string][]string{
		"the certificate is not known": nil,
		"there is no such secret":      {"--marathon-ca-cert", b.Path("ca.pem")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := newBalancer(t, "x", nil)
			other.Env = []string{"VAULT_TOKEN=hush", "VAULT_URL=" + a.URL + "/elsewhere"}
			cmd := other.Prepare(t.Context(), append([]string{"sse", "--dry", "--group", "x", "-m", a.URL}, line...)...)
			out, _ := cmd.CombinedOutput() // the status says it
			if status := cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(string(out), "credentials from Vault at "+a.URL) || strings.Contains(string(out), "hush") {
				t.Errorf("status %d, output:\n%s", status, out)
			}
		})
	}
}

func TestProxyOfTheEnvironmentLeadsToMarathon(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		env, marathon string
		want          []string
		status        int
	}{
		"http":               {"HTTP_PROXY", "http://marathon.invalid:8080", []string{"PROXY marathon.invalid:8080"}, 0},
		"http in lower case": {"http_proxy", "http://marathon.invalid:8080", []string{"PROXY marathon.invalid:8080"}, 0},
		"https":              {"HTTPS_PROXY", "https://marathon.invalid", []string{"CONNECT marathon.invalid:443"}, 1},
		"not for some":       {"NO_PROXY=other,.invalid HTTP_PROXY", "http://marathon.invalid:8080", nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBalancer(t, "x", nil)
			a := newAsked(t, b, false)
			b.Env = strings.Fields(tt.env + "=" + a.URL)
			cmd := b.Prepare(t.Context(), "render", "--group", "x", "-m", tt.marathon)
			out, _ := cmd.CombinedOutput() // the status says it
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status %d, want %d\n%s", got, tt.status, out)
			}
			if diff := cmp.Diff(tt.want, a.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// The names under which the image has the program.
func TestNamesOfTheProgram(t *testing.T) {
	t.Parallel()
	b := newBalancer(t, "x", nil)
	a := newAsked(t, b, false)
	for name, tt := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"run":                 {[]string{"poll", "--dry", "--group", "x", "-m", a.URL}, 0, "frontend marathon_http_in"},
		"marathon_lb.py":      {[]string{"--dry", "--group", "x", "-m", a.URL}, 0, "frontend marathon_http_in"},
		"zdd.py":              {[]string{"--help"}, 2, "zdd.py: this version has no deployment tool"},
		"bluegreen_deploy.py": {[]string{"-j", "x.json"}, 2, "this version has no deployment tool"},
		"reload_haproxy.sh":   {[]string{"--socket-dir", b.Path("run")}, 1, "no mlb seems to run here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := b.Prepare(t.Context(), tt.args...)
			link := filepath.Join(t.TempDir(), name)
			must(t, os.Symlink(cmd.Path, link))
			cmd.Path, cmd.Args[0] = link, link
			out, _ := cmd.CombinedOutput() // the status says it
			if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.Contains(string(out), tt.says) {
				t.Errorf("status %d, want %d and %q\n%s", got, tt.status, tt.says, out)
			}
		})
	}
}
