package contract_test

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mlb/test/balancer"
)

// nowhere is the host of Marathon that only a proxy knows.
const nowhere = "marathon.invalid"

// forwarder is a proxy that leads every request to Marathon.
type forwarder struct {
	*httptest.Server
	// asked counts its requests.
	asked atomic.Int64
}

// newForwarder starts a proxy: plain requests go to the first gate, tunnels to the
// second.
func newForwarder(t *testing.T, plain, secure *gate) *forwarder {
	t.Helper()
	f := &forwarder{}
	var tunnels sync.WaitGroup
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		switch {
		case r.URL.Hostname() != nowhere && !strings.HasPrefix(r.Host, nowhere+":"):
			http.Error(w, "who is that?", http.StatusBadGateway)
		case r.Method == http.MethodConnect:
			tunnel(&tunnels, w, secure.Listener.Addr().String())
		default:
			plain.Config.Handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
		tunnels.Wait()
	})
	return f
}

// tunnel connects the client with an address until one of them closes.
func tunnel(running *sync.WaitGroup, w http.ResponseWriter, address string) {
	server, err := net.Dial("tcp", address) //nolint:noctx // it is on this machine
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close() // the error says more
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n") // the copies end if it has gone
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // it ends when one of them closes
		_, _ = to.Close(), from.Close()
	}
	running.Go(func() { carry(server, client) })
	running.Go(func() { carry(client, server) })
}

// proxyStage shows the variables about proxies.
func proxyStage() stage {
	return stage{
		name: "proxies", idle: true,
		behaviours: []behaviour{{
			name:   "Marathon is reached through HTTP_PROXY and HTTPS_PROXY, in capitals or not, unless NO_PROXY names it",
			covers: []string{"env HTTP_PROXY", "env HTTPS_PROXY", "env NO_PROXY"},
			apps:   []app{{id: "/proxied", ports: []int{10100}, labels: grouped("proxied")}},
			show: func(t *testing.T, s scene) {
				master := s.cluster.Masters()[0]
				f := newForwarder(t, newGate(t, master, handOn, nil), newTLSGate(t, master, handOn))
				b := newUpdater(t, nil, "proxied")
				const plain, secure = "http://" + nowhere + ":8080", "https://" + nowhere + ":8443"
				for _, tt := range []struct {
					url, backend string
					env          []string
				}{
					{plain, "proxied_10100", []string{"http_proxy=" + f.URL}},
					{secure, "proxied_10100", []string{"HTTPS_PROXY=" + f.URL}},
					{secure, "proxied_10100", []string{"https_proxy=" + f.URL}},
					{plain, "proxied_10100", []string{"HTTP_PROXY=" + f.URL, "NO_PROXY=other.invalid"}},
					{plain, "", []string{"HTTPS_PROXY=" + f.URL}},
					{secure, "", []string{"HTTP_PROXY=" + f.URL}},
					{plain, "", []string{"HTTP_PROXY=" + f.URL, "NO_PROXY=" + nowhere}},
					{secure, "", []string{"https_proxy=" + f.URL, "no_proxy=.invalid"}},
				} {
					before := f.asked.Load()
					b.Env = tt.env
					foundBy(t, b, tt.backend, "-m", tt.url)
					if asked := f.asked.Load() > before; asked != (tt.backend != "") {
						t.Errorf("%s with %v: the proxy was asked: %t", tt.url, tt.env, asked)
					}
				}
			},
		}},
	}
}

// vault is a Vault that holds the login for Marathon.
type vault struct {
	*httptest.Server
	// asked counts its requests.
	asked atomic.Int64
}

const vaultToken = "a-vault-token-of-this-test"

// newVault returns a Vault that does not listen yet. It has the login in the form of
// the key-value engine's first version at secret/one, of its second at secret/data/two.
func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{}
	const fields = `{"user":"` + loginUser + `","pass":"p:a$s \"w'o\\rd@/"}`
	v.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.asked.Add(1)
		switch {
		case r.Header.Get("X-Vault-Token") != vaultToken:
			http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
		case r.URL.Path == "/v1/secret/one":
			_, _ = io.WriteString(w, `{"data":`+fields+`}`) // the client may have gone
		case r.URL.Path == "/v1/secret/data/two":
			_, _ = io.WriteString(w, `{"data":{"data":`+fields+`,"metadata":{}}}`)
		default:
			http.Error(w, `{"errors":[]}`, http.StatusNotFound)
		}
	}))
	v.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it are wanted
	t.Cleanup(v.Close)
	return v
}

// vaultBehaviours show credentials that come from Vault.
func vaultBehaviours() []behaviour {
	return []behaviour{
		{
			name:   "the login for Marathon is read from Vault at start, and other logins win",
			covers: []string{"env VAULT_TOKEN", "env VAULT_HOST", "env VAULT_PORT", "env VAULT_PATH", "env VAULT_URL", "D3"},
			show: func(t *testing.T, s scene) {
				v := newVault(t)
				v.Start()
				u, err := url.Parse(v.URL)
				if err != nil {
					t.Fatal(err)
				}
				address := func(token, path string) []string {
					return []string{"VAULT_TOKEN=" + token, "VAULT_HOST=http://" + u.Hostname(), "VAULT_PORT=" + u.Port(), "VAULT_PATH=" + path}
				}
				prints(t, s, "named_10102", address(vaultToken, "secret/one"))
				prints(t, s, "named_10102", address(vaultToken, "/v1/secret/data/two"))
				prints(t, s, "named_10102", append(address(vaultToken, "none"), "VAULT_URL="+v.URL+"/v1/secret/one"))
				prints(t, s, "", address(vaultToken, "secret/none"))
				prints(t, s, "", address("wrong", "secret/one"))
				before := v.asked.Load()
				prints(t, s, "", address("", "secret/one"))
				prints(t, s, "", address(vaultToken, ""))
				prints(t, s, "named_10102", address("wrong", "secret/one"), "--auth-credentials", login)
				prints(t, s, "named_10102", append(address("wrong", "secret/one"), "MARATHON_USER="+loginUser, "MARATHON_PASSWORD="+loginPassword))
				if v.asked.Load() != before {
					t.Error("Vault was asked for what it does not decide")
				}
			},
		},
		{
			name:   "Vault is asked over HTTPS, verified, and a Vault that says no ends the start",
			covers: []string{"env VAULT_HOST", "env VAULT_PORT", "D3"},
			show: func(t *testing.T, s scene) {
				v := newVault(t)
				v.StartTLS()
				u, err := url.Parse(v.URL)
				if err != nil {
					t.Fatal(err)
				}
				b := balancer.New(t, "vault", nil)
				own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.Certificate().Raw})
				writeFile(t, b.Path("own.pem"), string(own))
				writeFile(t, b.Path("foreign.pem"), newCertificate(t, "foreign.example"))
				env := []string{"VAULT_TOKEN=" + vaultToken, "VAULT_HOST=" + u.Hostname(), "VAULT_PORT=" + u.Port(), "VAULT_PATH=secret/one"}
				prints(t, s, "named_10102", env, "--marathon-ca-cert", b.Path("own.pem"))
				prints(t, s, "", env, "--marathon-ca-cert", b.Path("foreign.pem"))
				prints(t, s, "", env)
				b.Masters, b.Env = s.cluster.Masters(), slices.Concat(env, []string{"VAULT_TOKEN=wrong"})
				b.Args = []string{"--marathon-ca-cert", b.Path("own.pem")}
				e := finish(t, b.Prepare(t.Context(), b.Line()...))
				e.wants(t, 1)
				if !strings.Contains(e.stderr, "Vault") || strings.Contains(e.stderr, "wrong") {
					t.Errorf("it says %s", e.stderr)
				}
			},
		},
	}
}
