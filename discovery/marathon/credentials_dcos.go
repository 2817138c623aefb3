package marathon

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// loginTimeout bounds one login at DC/OS.
	loginTimeout = 10 * time.Second
	// tokenLife is for how long a login asks, and renewBefore how long before its
	// end the next one is due (contract 2.1).
	tokenLife, renewBefore = time.Hour, 10 * time.Second
	// proofLife is how long the signed statement of a login is good.
	proofLife = time.Minute
	// loginPause is how long a token that is still good is used, after a renewal
	// that did not succeed, until the next attempt.
	loginPause = 10 * time.Second
	// tokenCookie holds the token in the answer to a login.
	tokenCookie = "dcos-acs-auth-cookie" //nolint:gosec // the name, not the value.
)

// ServiceAccount is who mlb is for DC/OS. It prints nothing of its key. Make one
// with [ParseServiceAccount]; the zero value is nobody.
type ServiceAccount struct {
	uid      string
	key      *rsa.PrivateKey
	endpoint string
}

// ParseServiceAccount reads the JSON document of a service account: "uid", the name;
// "private_key", an RSA key in PEM; "login_endpoint", the URL that tokens come from.
// The error names the member that is wrong and repeats none of the document.
func ParseServiceAccount(document string) (ServiceAccount, error) {
	var members struct {
		UID           string `json:"uid"`
		PrivateKey    string `json:"private_key"`
		LoginEndpoint string `json:"login_endpoint"`
	}
	if err := json.Unmarshal([]byte(document), &members); err != nil {
		return ServiceAccount{}, errors.New("want a JSON object with the texts uid, private_key and login_endpoint")
	}
	if members.UID == "" {
		return ServiceAccount{}, errors.New("uid is missing")
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(members.PrivateKey))
	if err != nil {
		return ServiceAccount{}, errors.New("private_key is not an RSA key in PEM")
	}
	u, err := url.Parse(members.LoginEndpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return ServiceAccount{}, errors.New("login_endpoint is not http://HOST/PATH or https://HOST/PATH")
	}
	return ServiceAccount{uid: members.UID, key: key, endpoint: u.String()}, nil
}

// Verifiable reports whether the login endpoint has a certificate that could be
// verified.
func (a ServiceAccount) Verifiable() bool { return strings.HasPrefix(a.endpoint, "https:") }

// String returns a placeholder, so that the key is not printed by accident.
func (ServiceAccount) String() string { return "<secret>" }

// GoString is String for the verb %#v.
func (a ServiceAccount) GoString() string { return a.String() }

// DCOS are credentials that come from a login at DC/OS and are renewed before they
// end. It is safe for concurrent use.
type DCOS struct {
	account ServiceAccount
	base    *transport
	// turn lets one login run at a time; its holder alone writes token.
	turn chan struct{}

	// mu guards token, which requests read while a login runs.
	mu    sync.Mutex
	token token
}

// token is what one login gave. The zero value has expired.
type token struct {
	value   string
	renew   time.Time // when the next login is due
	expires time.Time
}

// NewDCOS returns credentials of an account. Its logins use the certificates, the
// identity, the proxy and the connect timeout of cfg; nothing else of it counts, also
// not the name of Marathon's server, which is another one. The error is about
// the file of certificates. Nobody logs in before the first request. Call Close after
// the last one.
func NewDCOS(account ServiceAccount, cfg ClientConfig) (*DCOS, error) {
	cfg = cfg.withDefaults()
	cfg.ServerName = ""
	base, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	return &DCOS{account: account, base: base, turn: make(chan struct{}, 1)}, nil
}

// Close closes idle connections to the login endpoint.
func (d *DCOS) Close() { d.base.CloseIdleConnections() }

// Authorize sets the Authorization header. It logs in first if there is no token, or
// if a new one is due; then it blocks until the answer, the end of the request's
// context or ten seconds. Without a good token its error says why the login failed;
// errors.Is finds ErrUnauthorized if DC/OS refused the account. A retry may help.
func (d *DCOS) Authorize(req *http.Request) error {
	value, err := d.current(req.Context())
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "token="+value)
	return nil
}

// Renew makes the next request log in again. If that does not succeed, the present
// token goes on until its own end.
func (d *DCOS) Renew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.token.renew = time.Time{}
}

// Refused takes in that Marathon did not accept what Authorize gave a request: that
// token is not used again.
func (d *DCOS) Refused(req *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if req.Header.Get("Authorization") == "token="+d.token.value {
		d.token = token{}
	}
}

// current returns a token to use now.
func (d *DCOS) current(ctx context.Context) (string, error) {
	if t := d.peek(); time.Now().Before(t.renew) {
		return t.value, nil
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	old := d.peek() // somebody else may have been faster
	if time.Now().Before(old.renew) {
		return old.value, nil
	}
	fresh, err := d.login(ctx)
	if err != nil {
		if !time.Now().Before(old.expires) {
			return "", fmt.Errorf("log in at %s: %w", d.account.endpoint, err)
		}
		fresh = old
		fresh.renew = time.Now().Add(loginPause)
	}
	d.mu.Lock()
	d.token = fresh
	d.mu.Unlock()
	return fresh.value, nil
}

func (d *DCOS) peek() token {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.token
}

// login asks DC/OS for a token. It follows no redirect: a signed statement is not for
// strangers (D16).
func (d *DCOS) login(ctx context.Context) (token, error) {
	began := time.Now()
	expires := began.Add(tokenLife)
	body, err := d.account.statement(began, expires)
	if err != nil {
		return token{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.account.endpoint, bytes.NewReader(body)) //nolint:gosec // the operator's endpoint.
	if err != nil {
		return token{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := d.base.RoundTrip(req)
	if err != nil {
		return token{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	// What is left unread keeps the connection from being used again, no more.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	if resp.StatusCode != http.StatusOK {
		return token{}, &StatusError{Status: resp.StatusCode}
	}
	for _, cookie := range resp.Cookies() {
		if cookie.Name == tokenCookie && cookie.Value != "" {
			return token{value: cookie.Value, renew: expires.Add(-renewBefore), expires: expires}, nil
		}
	}
	return token{}, fmt.Errorf("answer without the cookie %s", tokenCookie)
}

// statement returns the body of a login (contract 2.1).
func (a ServiceAccount) statement(now, expires time.Time) ([]byte, error) {
	claims := jwt.MapClaims{"uid": a.uid, "exp": now.Add(proofLife).Unix()}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(a.key)
	if err != nil {
		return nil, errors.New("sign with private_key: the key is not usable")
	}
	return json.Marshal(struct {
		UID   string `json:"uid"`
		Token string `json:"token"`
		Exp   int64  `json:"exp"`
	}{a.uid, signed, expires.Unix()})
}
