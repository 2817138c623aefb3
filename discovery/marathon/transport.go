package marathon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

const (
	// userAgent is the name that marathon-lb uses; some proxies go by it.
	userAgent = "marathon-lb"
	// maxRedirects is how many redirects in a row are followed (D16).
	maxRedirects = 2
	// idleConnTimeout is less than the 30 s after which Marathon closes idle
	// connections, so that a request never meets a connection that just closed.
	idleConnTimeout = 25 * time.Second
	// leaderTimeout bounds the question who leads, which nobody needs to wait for.
	leaderTimeout = 3 * time.Second
)

// transport makes connections to Marathon.
type transport struct {
	*http.Transport
	identity *Identity // nil means none
}

// newTransport returns the transport of all connections to known hosts.
func newTransport(cfg ClientConfig) (*transport, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cfg.ServerName}
	if cfg.Identity != nil {
		tlsConfig.GetClientCertificate = cfg.Identity.current
	}
	if cfg.CAFile == "" {
		tlsConfig.InsecureSkipVerify = true // users of marathon-lb rely on it (K1); the caller warns
	} else {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read certificates to verify Marathon with: %w", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificates to verify Marathon with: no certificate in %s", cfg.CAFile)
		}
	}
	return &transport{&http.Transport{
		Proxy:               cfg.Proxy,
		DialContext:         (&net.Dialer{Timeout: cfg.ConnectTimeout, KeepAlive: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: cfg.ConnectTimeout,
		TLSClientConfig:     tlsConfig,
		IdleConnTimeout:     idleConnTimeout,
		MaxIdleConnsPerHost: 8,
	}, cfg.Identity}, nil
}

// anonymous returns a transport that shows no client certificate.
func (t *transport) anonymous() *transport {
	if t.identity == nil {
		return t
	}
	plain := t.Clone()
	plain.TLSClientConfig.GetClientCertificate = nil
	return &transport{plain, nil}
}

// RoundTrip is that of http.Transport. If it fails while the client certificate is not
// the one in the files, the error says so: that may be why.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(req)
	if err != nil && t.identity != nil {
		if old := t.identity.trouble(); old != nil {
			return nil, fmt.Errorf("%w (with the client certificate as it was: %w)", err, old)
		}
	}
	return resp, err
}

// sender makes requests to Marathon: it adds the credentials, follows redirects
// by hand and learns who leads. net/http would follow redirects anywhere and drop
// the credentials on the way to another host, which is where the standbys of
// Marathon 1.7.50 and later send us for the event stream. Safe for concurrent use.
type sender struct {
	known       *transport // to hosts that may have the credentials
	strange     *transport // to all others
	masters     *Masters
	credentials Credentials // nil means none
}

// CloseIdleConnections closes them, in the way of http.Transport.
func (s *sender) CloseIdleConnections() {
	s.known.CloseIdleConnections()
	s.strange.CloseIdleConnections()
}

// RoundTrip sends a request that is addressed to a configured master. The answer's
// Request is the one that was answered in the end.
func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	origin, trusted := s.masters.configured(req.URL)
	for hop := 0; ; hop++ {
		resp, err := s.exchange(req, origin, trusted)
		if err != nil {
			return nil, err
		}
		if trusted {
			s.learn(resp.Header.Get("X-Marathon-Leader"))
		}
		target, err := redirection(resp)
		if target == nil && err == nil {
			return resp, nil
		}
		_ = resp.Body.Close()
		switch {
		case err != nil:
			return nil, err
		case hop == maxRedirects:
			return nil, fmt.Errorf("more than %d redirects, the last one to %s", maxRedirects, target.Host)
		}
		trusted = s.trusts(req.Context(), origin, target)
		req = req.Clone(req.Context())
		req.URL, req.Host = target, ""
	}
}

// exchange sends one request with what it has to carry. Credentials that are refused
// and can be renewed are tried once more; requests to Marathon have no body that
// would be lost.
func (s *sender) exchange(req *http.Request, origin master, trusted bool) (*http.Response, error) {
	again, canRenew := s.credentials.(renewable)
	base := s.strange
	if trusted {
		base = s.known
	}
	for attempt := 0; ; attempt++ {
		out, err := s.prepare(req, origin, trusted)
		if err != nil {
			return nil, err
		}
		resp, err := base.RoundTrip(out)
		if err != nil {
			return nil, err
		}
		if !trusted || !canRenew || resp.StatusCode != http.StatusUnauthorized {
			return resp, nil
		}
		again.Refused(out)
		if attempt > 0 {
			return resp, nil
		}
		_ = resp.Body.Close()
	}
}

// renew has renewable credentials got anew, as each new stream wants (contract 2.1).
func (s *sender) renew() {
	if c, ok := s.credentials.(renewable); ok {
		c.Renew()
	}
}

// prepare returns a copy of the request with what every request carries.
func (s *sender) prepare(req *http.Request, origin master, trusted bool) (*http.Request, error) {
	out := req.Clone(req.Context())
	out.Header.Set("User-Agent", userAgent)
	if !trusted {
		return out, nil
	}
	if s.credentials != nil {
		if err := s.credentials.Authorize(out); err != nil {
			return nil, fmt.Errorf("get credentials for %s: %w", out.URL.Host, err)
		}
		return out, nil
	}
	user := origin.user
	if to, ok := s.masters.configured(out.URL); ok {
		user = to.user
	}
	if user != nil {
		password, _ := user.Password()
		out.SetBasicAuth(user.Username(), password)
	}
	return out, nil
}

// trusts reports whether the target of a redirect may have the credentials: a
// configured master, or the host that Marathon names as leader (D16). They never
// leave TLS for the sake of a redirect.
func (s *sender) trusts(ctx context.Context, origin master, target *url.URL) bool {
	if _, ok := s.masters.configured(target); ok {
		return true
	}
	if origin.base.Scheme == "https" && target.Scheme != "https" {
		return false
	}
	if s.masters.isLeader(target) {
		return true
	}
	if s.credentials == nil && origin.user == nil {
		return false // there is nothing to send
	}
	return s.askLeader(ctx, origin) == nil && s.masters.isLeader(target)
}

// askLeader asks a configured master who leads and takes the answer in.
func (s *sender) askLeader(ctx context.Context, m master) error {
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.endpoint("/v2/leader", nil).String(), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if req, err = s.prepare(req, m, true); err != nil {
		return err
	}
	resp, err := s.known.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("get leader from %s: %w", m, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get leader from %s: %w", m, &StatusError{resp.StatusCode})
	}
	var answer struct {
		Leader string `json:"leader"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&answer); err != nil {
		return fmt.Errorf("get leader from %s: %w", m, err)
	}
	s.learn(m.base.Scheme + "://" + answer.Leader)
	return nil
}

// learn takes in the leader's URL as a trusted host named it.
func (s *sender) learn(leader string) {
	if u, err := url.Parse(leader); err == nil && u.Hostname() != "" {
		s.masters.lead(hostPort(u))
	}
}

// redirection returns where an answer redirects to, or nil.
func redirection(resp *http.Response) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	target, err := resp.Location()
	if err != nil {
		return nil, errors.New("redirect without a readable target")
	}
	if target.Scheme != "http" && target.Scheme != "https" || target.Hostname() == "" {
		return nil, fmt.Errorf("redirect to a target of scheme %q", target.Scheme)
	}
	target.User, target.Fragment = nil, ""
	return target, nil
}

// plainError returns an error of net/http without the URL, which whoever wraps it
// names better.
func plainError(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
