package marathon_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"mlb/discovery/marathon"
)

// dcos is a login endpoint that knows one account and gives out t1, t2 and so on.
type dcos struct {
	*httptest.Server
	key    *rsa.PrivateKey
	logins atomic.Int64
	// status is what logins are answered with; 0 means that they are looked at.
	status atomic.Int64
}

// newDCOS starts an endpoint with TLS.
func newDCOS(t *testing.T) *dcos {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	d := &dcos{key: key}
	d.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := d.logins.Add(1)
		if status := d.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		if err := d.check(r); err != nil {
			t.Errorf("login: %v", err)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "other", Value: "x"})
		http.SetCookie(w, &http.Cookie{Name: "dcos-acs-auth-cookie", Value: fmt.Sprintf("t%d", n)})
	}))
	t.Cleanup(d.Close)
	return d
}

// check says what is wrong with a login by contract 2.1.
func (d *dcos) check(r *http.Request) error {
	var body struct {
		UID, Token string
		Exp        int64
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return err
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(body.Token, claims, func(*jwt.Token) (any, error) { return &d.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired())
	if err != nil {
		return err
	}
	exp, err := claims.GetExpirationTime()
	if err != nil {
		return err
	}
	near := func(at time.Time, after time.Duration) bool {
		return time.Until(at) > after-time.Minute/2 && time.Until(at) <= after
	}
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json":
		return fmt.Errorf("%s with %s", r.Method, r.Header.Get("Content-Type"))
	case body.UID != "lb" || claims["uid"] != "lb":
		return fmt.Errorf("uid %q, claim %v", body.UID, claims["uid"])
	case !near(exp.Time, time.Minute):
		return fmt.Errorf("statement is good until %s", exp)
	case !near(time.Unix(body.Exp, 0), time.Hour):
		return fmt.Errorf("token is asked for until %s", time.Unix(body.Exp, 0))
	}
	return nil
}

// calm are deadlines that a login on a busy machine keeps.
func calm() marathon.ClientConfig {
	cfg := quick()
	cfg.ConnectTimeout, cfg.HeaderTimeout = patience, patience
	return cfg
}

// document is the service account in JSON.
func (d *dcos) document(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(d.key)
	if err != nil {
		t.Fatal(err)
	}
	return accountDocument(t, "lb", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), d.URL+"/acs/api/v1/auth/login")
}

func accountDocument(t *testing.T, uid, key, endpoint string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"uid": uid, "private_key": key, "login_endpoint": endpoint, "scheme": "RS256"})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// credentials returns credentials that log in at the endpoint.
func (d *dcos) credentials(t *testing.T, cfg marathon.ClientConfig) *marathon.DCOS {
	t.Helper()
	account, err := marathon.ParseServiceAccount(d.document(t))
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := marathon.NewDCOS(account, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(credentials.Close)
	return credentials
}

// authorization are the Authorization headers of a master's requests so far.
func authorization(m *rawMaster) []string {
	var headers []string
	for _, req := range m.seen() {
		headers = append(headers, req.Header.Get("Authorization"))
	}
	return headers
}

func TestDCOSTokenIsSentWithEveryRequest(t *testing.T) {
	t.Parallel()
	d, m := newDCOS(t), newMaster(t, list("/a"))
	cfg := calm()
	cfg.Credentials = d.credentials(t, calm())
	client := newClient(t, cfg, m.url)
	for range 2 {
		if _, err := client.Apps(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(authorization(m), ","); got != "token=t1,token=t1" {
		t.Errorf("Authorization %s, want one login for both requests", got)
	}
}

func TestDCOSTokenThatIsRefusedIsRenewedOnce(t *testing.T) {
	t.Parallel()
	refused := answers(http.StatusUnauthorized, "", "")
	t.Run("the request is sent again", func(t *testing.T) {
		t.Parallel()
		d, m := newDCOS(t), newMaster(t, turns(refused, list("/a")))
		cfg := calm()
		cfg.Credentials = d.credentials(t, calm())
		if _, err := newClient(t, cfg, m.url).Apps(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(authorization(m), ","); got != "token=t1,token=t2" {
			t.Errorf("Authorization %s", got)
		}
	})
	t.Run("and no more", func(t *testing.T) {
		t.Parallel()
		d, m := newDCOS(t), newMaster(t, refused)
		cfg := calm()
		cfg.Credentials = d.credentials(t, calm())
		if _, err := newClient(t, cfg, m.url).Apps(t.Context()); !errors.Is(err, marathon.ErrUnauthorized) {
			t.Errorf("error %v", err)
		}
		if got := strings.Join(authorization(m), ","); got != "token=t1,token=t2" {
			t.Errorf("Authorization %s", got)
		}
	})
}

func TestDCOSTokenIsRenewedForEachStream(t *testing.T) {
	t.Parallel()
	d := newDCOS(t)
	m := newMaster(t, paths(map[string]wire{
		"/v2/events": then(says("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: event_stream_attached\r\ndata: {\"eventType\":\"event_stream_attached\"}\r\n\r\n")),
	}))
	cfg := calm()
	cfg.Credentials = d.credentials(t, calm())
	stream := marathon.NewStream(marathon.StreamConfig{MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond},
		newClient(t, cfg, m.url), zap.NewNop(), marathon.NewMetrics(nil))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(ctx, func(marathon.Hint) {}) }()
	for deadline := time.Now().Add(patience); m.count("/v2/events") < 2; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no second stream")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := authorization(m)[:2]; got[0] != "token=t1" || got[1] != "token=t2" {
		t.Errorf("Authorization %s", got)
	}
}

// A login that does not succeed is one failed attempt, not the end of the loop.
func TestD12FailedLoginsAreTriedAgain(t *testing.T) {
	t.Parallel()
	d, m := newDCOS(t), newMaster(t, list("/a"))
	d.status.Store(http.StatusForbidden)
	cfg := calm()
	cfg.Credentials = d.credentials(t, calm())
	client := newClient(t, cfg, m.url)
	_, err := client.Apps(t.Context())
	if !errors.Is(err, marathon.ErrUnauthorized) || !strings.Contains(err.Error(), "log in at "+d.URL) {
		t.Errorf("error %v names neither the login nor its answer", err)
	}
	if n := len(m.seen()); n != 0 {
		t.Errorf("%d requests without credentials", n)
	}
	d.status.Store(0)
	if _, err := client.Apps(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDCOSTokenGoesOnWhileItsRenewalFails(t *testing.T) {
	t.Parallel()
	d, m := newDCOS(t), newMaster(t, list("/a"))
	cfg := calm()
	credentials := d.credentials(t, calm())
	cfg.Credentials = credentials
	client := newClient(t, cfg, m.url)
	for _, status := range []int64{0, http.StatusServiceUnavailable} {
		d.status.Store(status)
		credentials.Renew()
		if _, err := client.Apps(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(authorization(m), ","); got != "token=t1,token=t1" || d.logins.Load() != 2 {
		t.Errorf("Authorization %s after %d logins", got, d.logins.Load())
	}
}

func TestD16LoginFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	stranger := newHost(t, false, func(http.ResponseWriter, *http.Request) { t.Error("the stranger was asked") })
	d, m := newDCOS(t), newMaster(t, list("/a"))
	redirecting := httptest.NewServer(http.RedirectHandler(stranger.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirecting.Close)
	account, err := marathon.ParseServiceAccount(strings.Replace(d.document(t), d.URL, redirecting.URL, 1))
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := marathon.NewDCOS(account, calm())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(credentials.Close)
	cfg := calm()
	cfg.Credentials = credentials
	if _, err := newClient(t, cfg, m.url).Apps(t.Context()); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("error %v", err)
	}
}

func TestDCOSLoginIsVerifiedWithTheCertificatesForMarathon(t *testing.T) {
	t.Parallel()
	d, m := newDCOS(t), newMaster(t, list("/a"))
	right := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.Certificate().Raw})
	for name, tt := range map[string]struct {
		file string
		good bool
	}{
		"the right ones": {string(right), true},
		"others":         {otherCertificate, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			login, cfg := calm(), calm()
			login.CAFile = filepath.Join(t.TempDir(), "ca.pem")
			writeFile(t, login.CAFile, tt.file)
			cfg.Credentials = d.credentials(t, login)
			if _, err := newClient(t, cfg, m.url).Apps(t.Context()); (err == nil) != tt.good {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestServiceAccountMistakesNameTheMember(t *testing.T) {
	t.Parallel()
	d := newDCOS(t)
	const endpoint = "https://dcos.example/login"
	for name, tt := range map[string]struct{ document, says string }{
		"no JSON":             {"hush", "uid, private_key and login_endpoint"},
		"no object":           {`["hush"]`, "uid, private_key and login_endpoint"},
		"no uid":              {accountDocument(t, "", "hush", endpoint), "uid"},
		"no key":              {accountDocument(t, "lb", "hush", endpoint), "private_key"},
		"no URL":              {strings.Replace(d.document(t), "https://", "hush:", 1), "login_endpoint"},
		"a password in a URL": {strings.Replace(d.document(t), "https://", "https://a:hush@", 1), "login_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := marathon.ParseServiceAccount(tt.document)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hush") {
				t.Errorf("error %v, want one about %s and without values", err, tt.says)
			}
		})
	}
}

func FuzzParseServiceAccount(f *testing.F) {
	f.Add(`{"uid":"lb","private_key":"x","login_endpoint":"https://h/"}`)
	f.Fuzz(func(t *testing.T, document string) {
		account, err := marathon.ParseServiceAccount(document)
		if err == nil && fmt.Sprintf("%v %+v %#v %s", account, account, account, account) != "<secret> <secret> <secret> <secret>" {
			t.Error("an account prints what it holds")
		}
	})
}
