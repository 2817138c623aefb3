package marathon_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mlb/discovery/marathon"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// sign returns a certificate for a name, and its key, in PEM.
func (a authority) sign(t *testing.T, name string) (cert, key string) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, pair.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// guard is a server with TLS that notes who comes: for each request its path and the name
// in the client's certificate, and for each handshake the name that was asked for.
type guard struct {
	*httptest.Server
	mu       sync.Mutex
	visits   []string
	sni      []string
	answered http.HandlerFunc
}

// newGuard starts a server whose certificate is for a name. It asks for client
// certificates of the authority, and wants one if ask says so. Each connection has one
// request, so that each shows what is in force.
func newGuard(t *testing.T, a authority, name string, ask tls.ClientAuthType, answered http.HandlerFunc) *guard {
	t.Helper()
	g := &guard{answered: answered}
	cert, key := a.sign(t, name)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	g.Server = httptest.NewUnstartedServer(g)
	g.Config.ErrorLog = log.New(io.Discard, "", 0)
	g.Config.SetKeepAlivesEnabled(false)
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: ask, ClientCAs: clients}
	g.TLS = config.Clone()
	g.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		g.mu.Lock()
		g.sni = append(g.sni, hello.ServerName)
		g.mu.Unlock()
		return config, nil
	}
	g.StartTLS()
	t.Cleanup(g.Close)
	return g
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who := "nobody"
	if len(r.TLS.PeerCertificates) > 0 {
		who = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	g.mu.Lock()
	g.visits = append(g.visits, who+" "+r.URL.Path)
	g.mu.Unlock()
	g.answered(w, r)
}

// last returns the latest visit, names what handshakes asked for.
func (g *guard) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.visits) == 0 {
		return ""
	}
	return g.visits[len(g.visits)-1]
}

func (g *guard) saw(visit string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.visits, visit)
}

func (g *guard) names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.sni...)
}

// marathonHandler answers as a leader that has no apps but two.
func marathonHandler(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/v2/events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, attached())
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case "/v2/leader":
		_, _ = fmt.Fprintf(w, `{"leader":%q}`, "elsewhere.example:8080")
	default:
		listHandler(w, r)
	}
}

// identityFiles are the files of a client certificate.
type identityFiles struct{ cert, key string }

func writeIdentity(t *testing.T, a authority, name string) identityFiles {
	t.Helper()
	dir := t.TempDir()
	f := identityFiles{filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")}
	cert, key := a.sign(t, name)
	writeFile(t, f.cert, cert)
	writeFile(t, f.key, key)
	return f
}

func (f identityFiles) read(t *testing.T) *marathon.Identity {
	t.Helper()
	identity, err := marathon.NewIdentity(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func (a authority) file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, path, string(a.pem))
	return path
}

func TestAClientCertificateIsShownWithEveryRequest(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	one := newGuard(t, a, "marathon.mesos", tls.RequireAndVerifyClientCert, marathonHandler)
	two := newGuard(t, a, "marathon.mesos", tls.RequireAndVerifyClientCert, marathonHandler)
	cfg := calm()
	cfg.CAFile, cfg.ServerName = a.file(t), "marathon.mesos"
	if _, err := newClient(t, cfg, one.URL).Apps(t.Context()); err == nil {
		t.Error("a master that wants a certificate answers without one")
	}
	cfg.Identity = writeIdentity(t, a, "mlb").read(t)
	f := follow(t, marathon.StreamConfig{}, cfg, one.URL, two.URL)
	f.want(t, reconnected())
	if _, err := newClient(t, cfg, one.URL).Apps(t.Context()); err != nil {
		t.Error(err)
	}
	for _, visit := range []string{"mlb /v2/apps", "mlb /v2/events", "mlb /v2/leader"} {
		if !one.saw(visit) {
			t.Errorf("no visit %q", visit)
		}
	}
}

func TestTheLoginShowsTheClientCertificateAndHasItsOwnServerName(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	login := newGuard(t, a, "localhost", tls.RequireAndVerifyClientCert, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "dcos-acs-auth-cookie", Value: "t1"})
	})
	_, port, err := net.SplitHostPort(login.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, m := newDCOS(t), newMaster(t, list("/a"))
	account, err := marathon.ParseServiceAccount(strings.Replace(d.document(t), d.URL, "https://localhost:"+port, 1))
	if err != nil {
		t.Fatal(err)
	}
	cfg := calm()
	cfg.CAFile, cfg.ServerName, cfg.Identity = a.file(t), "marathon.mesos", writeIdentity(t, a, "mlb").read(t)
	credentials, err := marathon.NewDCOS(account, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(credentials.Close)
	cfg.Credentials = credentials
	if _, err = newClient(t, cfg, m.url).Apps(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := login.last(); got != "mlb /acs/api/v1/auth/login" {
		t.Errorf("login by %q", got)
	}
}

func TestARenewedClientCertificateIsUsedFromTheNextConnectionOn(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	g := newGuard(t, a, "marathon.mesos", tls.RequireAndVerifyClientCert, marathonHandler)
	files := writeIdentity(t, a, "old")
	cfg := calm()
	cfg.Identity = files.read(t)
	client := newClient(t, cfg, g.URL)
	want := func(who string) {
		t.Helper()
		if _, err := client.Apps(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := g.last(); got != who+" /v2/apps" {
			t.Errorf("visit by %q, want %s", got, who)
		}
	}
	want("old")
	cert, key := a.sign(t, "new")
	writeFile(t, files.cert, cert) // the key does not belong to it yet
	want("old")
	if err := os.Remove(files.key); err != nil {
		t.Fatal(err)
	}
	want("old")
	writeFile(t, files.key, key)
	want("new")
}

func TestAFailureWithAnOldClientCertificateSaysWhyItIsOld(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	g := newGuard(t, a, "marathon.mesos", tls.RequireAndVerifyClientCert, marathonHandler)
	files := writeIdentity(t, newAuthority(t), "foreign") // nobody's whom the server knows
	cfg := calm()
	cfg.Identity = files.read(t)
	client := newClient(t, cfg, g.URL)
	_, err := client.Apps(t.Context())
	if err == nil || strings.Contains(err.Error(), files.cert) {
		t.Errorf("error %v, want one without the files", err)
	}
	writeFile(t, files.cert, "hush")
	_, err = client.Apps(t.Context())
	if err == nil || !strings.Contains(err.Error(), files.cert) || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v, want one with the name of the file and nothing of its text", err)
	}
}

func TestD16AClientCertificateFollowsARedirectOnlyToKnownHosts(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprintf("known %v", known), func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			target := newGuard(t, a, "marathon.mesos", tls.VerifyClientCertIfGiven, listHandler)
			origin := newGuard(t, a, "marathon.mesos", tls.RequireAndVerifyClientCert, func(w http.ResponseWriter, r *http.Request) {
				leader := "elsewhere.example:8080"
				if known {
					leader = target.Listener.Addr().String()
				}
				w.Header().Set("X-Marathon-Leader", "https://"+leader)
				redirects(func() string { return target.URL })(w, r)
			})
			cfg := calm()
			cfg.CAFile, cfg.ServerName, cfg.Identity = a.file(t), "marathon.mesos", writeIdentity(t, a, "mlb").read(t)
			if _, err := newClient(t, cfg, origin.URL).Apps(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{true: "mlb /v2/apps", false: "nobody /v2/apps"}[known]
			if got := target.last(); got != want {
				t.Errorf("visit by %q, want %q", got, want)
			}
		})
	}
}

func TestTheServerNameIsSentAndVerified(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	g := newGuard(t, a, "marathon.mesos", tls.NoClientCert, marathonHandler)
	for _, tt := range []struct {
		name, serverName string
		verified, good   bool
	}{
		{"the one of the certificate", "marathon.mesos", true, true},
		{"another one", "other.mesos", true, false},
		{"the host of the URL by default", "", true, false},
		{"another one, and nothing is verified", "other.mesos", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := calm()
			if cfg.ServerName = tt.serverName; tt.verified {
				cfg.CAFile = a.file(t)
			}
			if _, err := newClient(t, cfg, g.URL).Apps(t.Context()); (err == nil) != tt.good {
				t.Errorf("error %v, want success: %v", err, tt.good)
			}
			if !slices.Contains(g.names(), tt.serverName) {
				t.Errorf("asked for %q, want %q", g.names(), tt.serverName)
			}
		})
	}
}

func TestClientCertificateMistakesNameTheFile(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.sign(t, "mlb")
	_, otherKey := a.sign(t, "other")
	for _, tt := range []struct {
		name, cert, key, file string
	}{
		{"no certificate", "", key, "client.pem"},
		{"no key", cert, "", "client.key"},
		{"a certificate that is none", "hush", key, "client.pem"},
		{"a key that is none", cert, "hush", "client.key"},
		{"a key in place of the certificate", key, key, "client.pem"},
		{"the key of another one", cert, otherKey, "client.key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := identityFiles{filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")}
			for path, text := range map[string]string{files.cert: tt.cert, files.key: tt.key} {
				if text != "" {
					writeFile(t, path, text)
				}
			}
			_, err := marathon.NewIdentity(files.cert, files.key)
			if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, tt.file)) {
				t.Fatalf("error %v does not name %s", err, tt.file)
			}
			for _, secret := range []string{"hush", strings.Split(key, "\n")[1], strings.Split(otherKey, "\n")[1]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error %q tells what is in a file", err)
				}
			}
		})
	}
}

func TestAnIdentityPrintsNothing(t *testing.T) {
	t.Parallel()
	identity := writeIdentity(t, newAuthority(t), "mlb").read(t)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, identity); text != "<secret>" {
			t.Errorf("%s prints %s", format, text)
		}
	}
}
