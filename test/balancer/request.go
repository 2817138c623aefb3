package balancer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"mlb/test/marathonsim/launcher"
)

// Request is one HTTP request. Make one with a method of [Balancer]; a copy that
// differs is made with With….
type Request struct {
	// Method is GET if it is empty.
	Method string
	// URL is where the connection goes.
	URL string
	// Host replaces the host of the URL in the request; empty means no replacement.
	Host string
	// ServerName is the SNI of HTTPS; empty means none.
	ServerName string
	// Header is sent as it is.
	Header http.Header
	// From is the loopback address of the client; empty means that the system
	// chooses.
	From string
	// Certificate is what the client shows over HTTPS; nil means none.
	Certificate *tls.Certificate
}

// Answer is what came back.
type Answer struct {
	Code   int
	Header http.Header
	Body   string
	// Task is the id of the simulated task that answered; empty when it was HAProxy
	// or mlb.
	Task string
	// Certificate is the name of the server's certificate, TLS the version of the
	// protocol as in "TLS 1.3"; empty without HTTPS.
	Certificate, TLS string
}

// Said returns what the task says about the request under a key such as "app",
// "path" or "x-forwarded-for"; empty if it says nothing.
func (a Answer) Said(key string) string {
	for line := range strings.Lines(a.Body) {
		if value, ok := strings.CutPrefix(line, key+": "); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}

// Web returns a request for a path of a virtual host on the HTTP listener.
func (b *Balancer) Web(vhost, path string) Request {
	return Request{URL: "http://" + b.Host + ":8080" + path, Host: vhost}
}

// Secure returns a request for a path of a virtual host on the HTTPS listener.
func (b *Balancer) Secure(vhost, path string) Request {
	return Request{URL: "https://" + b.Host + ":8443" + path, Host: vhost, ServerName: vhost}
}

// Port returns a request for a path on a service port.
func (b *Balancer) Port(port int, path string) Request {
	return Request{URL: fmt.Sprintf("http://%s:%d%s", b.Host, port, path)}
}

// ByID returns a request on the listener that routes by app ID.
func (b *Balancer) ByID(app, path string) Request {
	return b.Port(9091, path).WithHeader("X-Marathon-App-Id", app)
}

// Stats returns a request on the statistics port.
func (b *Balancer) Stats(path string) Request { return b.Port(9090, path) }

// WithHeader returns a copy of the request with one more header line.
func (r Request) WithHeader(name, value string) Request {
	r.Header = maps.Clone(r.Header)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header[name] = append(slices.Clip(r.Header[name]), value)
	return r
}

// WithLogin returns a copy of the request with basic authentication.
func (r Request) WithLogin(user, password string) Request {
	var h http.Request
	h.Header = http.Header{}
	h.SetBasicAuth(user, password)
	return r.WithHeader("Authorization", h.Header.Get("Authorization"))
}

// WithMethod returns a copy of the request with another method.
func (r Request) WithMethod(method string) Request {
	r.Method = method
	return r
}

// WithFrom returns a copy of the request that comes from a loopback address.
func (r Request) WithFrom(address string) Request {
	r.From = address
	return r
}

// Send sends the request on a connection of its own, reads the answer to its end and
// closes the connection. A redirect is an answer like any other. It gives up after 20
// seconds.
func (r Request) Send(ctx context.Context) (Answer, error) {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if r.From != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(r.From)}
	}
	client := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, DialContext: dialer.DialContext,
		// Certificates are looked at where a test is about them.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: r.ServerName},
	}
	if r.Certificate != nil {
		client.TLSClientConfig.Certificates = []tls.Certificate{*r.Certificate}
	}
	return r.SendBy(ctx, client)
}

// SendBy is like Send, on a connection of the client, which may keep it. From,
// ServerName and Certificate have no effect: they are matters of the connection.
func (r Request) SendBy(ctx context.Context, client *http.Transport) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, http.NoBody)
	if err != nil {
		return Answer{}, err
	}
	request.Host = r.Host
	if r.Header != nil {
		request.Header = r.Header.Clone()
	}
	response, err := client.RoundTrip(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	body, err := io.ReadAll(response.Body)
	a := Answer{
		Code: response.StatusCode, Header: response.Header, Body: string(body),
		Task: response.Header.Get(launcher.HeaderTask),
	}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		a.TLS = tls.VersionName(response.TLS.Version)
		a.Certificate = response.TLS.PeerCertificates[0].Subject.CommonName
	}
	return a, err
}
