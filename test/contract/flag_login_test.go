package contract_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
)

// Who may read the simulated Marathon that asks for a login: a name and a password
// that a shell, a URL and a careless split would spoil.
const (
	loginUser     = "load balancer"
	loginPassword = `p:a$s "w'o\rd@/`
	login         = loginUser + ":" + loginPassword
	wrongLogin    = loginUser + ":wrong-" + loginPassword
)

// loginStage shows whom mlb is for a Marathon that asks.
func loginStage() stage {
	return stage{
		name: "login", idle: true, marathon: marathonsim.Options{Username: loginUser, Password: loginPassword},
		behaviours: slices.Concat(vaultBehaviours(), []behaviour{
			{
				name:   "the credential file wins over --auth-credentials, which wins over DC/OS, and an empty first line is nobody",
				covers: []string{"flag --marathon-auth-credential-file", "flag --auth-credentials", "D2"},
				apps:   []app{{id: "/login", ports: []int{10100}, labels: grouped("login")}},
				show: func(t *testing.T, s scene) {
					b := newUpdater(t, s.cluster.Masters(), "login")
					for name, text := range map[string]string{
						"right": login + "\nsecond line\n", "crlf": login + "\r\n", "wrong": wrongLogin, "empty": "\n" + login + "\n", "colonless": "secretword\n",
					} {
						writeFile(t, b.Path(name), text)
					}
					const file, flag = "--marathon-auth-credential-file", "--auth-credentials"
					foundBy(t, b, "login_10100", flag+"="+login)
					foundBy(t, b, "login_10100", file, b.Path("crlf"))
					foundBy(t, b, "login_10100", file, b.Path("right"), flag, wrongLogin)
					foundBy(t, b, "login_10100", flag, wrongLogin, flag, login)
					foundBy(t, b, "login_10100", flag, login, "--dcos-auth-credentials", newAccount(t, "http://127.0.0.1:1/").document)
					for _, line := range [][]string{
						{},
						{flag, wrongLogin},
						{file, b.Path("wrong"), flag, login},
						{file, b.Path("empty"), flag, login},
						{file, b.Path("colonless")},
						{file, b.Path("missing")},
						{flag, "secretword"},
					} {
						e := foundBy(t, b, "", line...)
						if strings.Contains(e.stderr, "secretword") || strings.Contains(e.stderr, loginPassword) {
							t.Errorf("%q: the log has a secret: %s", line, e.stderr)
						}
					}
				},
			},
			{
				name:   "credentials are neither in the log nor in the command lines and files of what mlb starts and writes",
				covers: []string{"flag --auth-credentials", "D2"},
				apps:   []app{{id: "/silent", ports: []int{10101}, labels: grouped("silent")}},
				show: func(t *testing.T, s scene) {
					b := balancer.New(t, "silent", s.cluster.Masters())
					b.Groups, b.Env = []string{"silent"}, []string{"MARATHON_USER=" + loginUser, "MARATHON_PASSWORD=" + loginPassword}
					b.Start(t)
					expect(t, b.Port(10101, "/"), by("/silent"))
					for _, pid := range b.Processes() {
						line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
						if err == nil && strings.Contains(string(line), loginPassword) {
							t.Errorf("command line %q", line)
						}
					}
					err := filepath.WalkDir(b.Dir, func(path string, entry os.DirEntry, err error) error {
						if err != nil || !entry.Type().IsRegular() {
							return err
						}
						text, err := os.ReadFile(path)
						if errors.Is(err, os.ErrNotExist) {
							return nil // it was temporary
						}
						if strings.Contains(string(text), loginPassword) {
							t.Errorf("%s has the password", path)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				},
			},
			{
				name:   "MARATHON_USER and MARATHON_PASSWORD are for the container form, both or none, and give way to flags",
				covers: []string{"env MARATHON_USER", "env MARATHON_PASSWORD"},
				apps:   []app{{id: "/named", ports: []int{10102}, labels: grouped("named")}},
				show: func(t *testing.T, s scene) {
					user, word := "MARATHON_USER="+loginUser, "MARATHON_PASSWORD="+loginPassword
					prints(t, s, "named_10102", []string{user, word})
					prints(t, s, "", []string{user})
					prints(t, s, "", []string{user, "MARATHON_PASSWORD="})
					prints(t, s, "", []string{user, word}, "--auth-credentials", wrongLogin)
					prints(t, s, "named_10102", []string{user, "MARATHON_PASSWORD=wrong"}, "--auth-credentials", login)
					b := newUpdater(t, s.cluster.Masters(), "named")
					b.Env = []string{user, word}
					foundBy(t, b, "")
				},
			},
			{
				name:   "for DC/OS mlb logs in with a signed statement and shows the token that it gets",
				covers: []string{"flag --dcos-auth-credentials", "env DCOS_SERVICE_ACCOUNT_CREDENTIAL"},
				apps:   []app{{id: "/dcos", ports: []int{10103}, labels: grouped("dcos")}},
				show:   showsLoginAtDCOS,
			},
		}),
	}
}

// prints runs the container's form with --dry, which ends in every mode, for the group
// "named", and fails the test unless it finds the app, or nothing, as foundBy does.
func prints(t *testing.T, s scene, backend string, env []string, args ...string) {
	t.Helper()
	b := balancer.New(t, "container", s.cluster.Masters())
	b.Groups, b.Env, b.Args = []string{"named"}, env, append([]string{"--dry"}, args...)
	e := finish(t, b.Prepare(t.Context(), b.Line()...))
	switch {
	case backend == "" && (e.status != 1 || e.stdout != ""):
		t.Errorf("%v %q: status %d, want 1\n%s", env, args, e.status, e.stderr)
	case backend != "" && (e.status != 0 || !strings.Contains(e.stdout, "\nbackend "+backend+"\n")):
		t.Errorf("%v %q: status %d, want 0 and the backend %s\n%s", env, args, e.status, backend, e.stderr)
	}
}

// account is a service account of DC/OS.
type account struct {
	uid      string
	key      *rsa.PrivateKey
	document string
}

// newAccount returns an account that logs in at an address.
func newAccount(t *testing.T, endpoint string) account {
	t.Helper()
	a := account{uid: "balancer"}
	var err error
	if a.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"uid": a.uid, "login_endpoint": endpoint, "scheme": "RS256",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.document = string(text)
	return a
}

// check returns why a login is not the account's.
func (a account) check(r *http.Request) error {
	var body struct {
		UID, Token string
		Exp        int64
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return err
	}
	var claims struct {
		UID string `json:"uid"`
		jwt.RegisteredClaims
	}
	_, err := jwt.ParseWithClaims(body.Token, &claims, func(*jwt.Token) (any, error) { return &a.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired())
	if err != nil {
		return err
	}
	ahead := time.Until(claims.ExpiresAt.Time)
	lasts := time.Until(time.Unix(body.Exp, 0))
	if r.Method != http.MethodPost || body.UID != a.uid || claims.UID != a.uid || ahead > time.Minute || lasts > time.Hour || lasts < 50*time.Minute {
		return fmt.Errorf("%s by %q and %q, for %s and %s", r.Method, body.UID, claims.UID, ahead, lasts)
	}
	return nil
}

func showsLoginAtDCOS(t *testing.T, s scene) {
	t.Helper()
	const token = "a-token-of-this-test"
	var who account
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := who.check(r); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "dcos-acs-auth-cookie", Value: token, HttpOnly: true, Secure: true})
	}))
	t.Cleanup(door.Close)
	who = newAccount(t, door.URL+"/acs/api/v1/auth/login")
	g := newGate(t, s.cluster.Masters()[0], func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "token="+token {
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			r.SetBasicAuth(loginUser, loginPassword)
			next.ServeHTTP(w, r)
		})
	}, nil)
	b := newUpdater(t, []string{g.URL}, "dcos")
	foundBy(t, b, "dcos_10103", "--dcos-auth-credentials", who.document)
	foundBy(t, b, "", "--dcos-auth-credentials", newAccount(t, door.URL).document)
	foundBy(t, b, "", "--dcos-auth-credentials", "{}")
	foundBy(t, b, "")
	b.Env = []string{"DCOS_SERVICE_ACCOUNT_CREDENTIAL=" + who.document}
	foundBy(t, b, "dcos_10103")
	foundBy(t, b, "", "--dcos-auth-credentials", newAccount(t, door.URL).document)
	// Events need the token too.
	follower := balancer.New(t, "follower", []string{g.URL})
	follower.Groups, follower.Env = []string{"dcos"}, b.Env
	follower.Start(t)
	expect(t, follower.Port(10103, "/"), by("/dcos"))
	balancer.Eventually(t, "events are followed", func() error {
		if connected, err := follower.Metric(t.Context(), "mlb_stream_connected", ""); err != nil || connected != 1 {
			return fmt.Errorf("connected %v, %w", connected, err)
		}
		return nil
	})
}
