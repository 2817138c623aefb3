package marathonsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"
)

// viaHeader lists the standbys that a request has passed; it detects loops.
const viaHeader = "X-Marathon-Via"

// newProxyClient returns the client with which a standby asks the leader.
func newProxyClient(readTimeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableCompression: true, DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, fmt.Errorf("connect to the leader: %w", err)
				}
				return &impatient{Conn: conn, patience: readTimeout}, nil
			},
		},
	}
}

// impatient is a connection on which each read has its own deadline.
type impatient struct {
	net.Conn
	patience time.Duration
}

func (i *impatient) Read(b []byte) (int, error) {
	if err := i.SetReadDeadline(time.Now().Add(i.patience)); err != nil {
		return 0, fmt.Errorf("set the deadline: %w", err)
	}
	return i.Conn.Read(b) //nolint:wrapcheck // callers look for io.EOF
}

// forward passes a request on to the leader, or names the leader for events in
// generations that do that, Marathon facts 2.
func (m *master) forward(w http.ResponseWriter, r *http.Request, leader *master) {
	f := m.cluster.features
	events := squeeze(r.URL.Path) == "/v2/events"
	if events && f.redirectEvents {
		m.commonHeader(w.Header())
		location := leader.url() + r.URL.Path
		if r.URL.RawQuery != "" {
			location += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", location)
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusFound)
		return
	}
	via := "1.1 " + m.listen
	if slices.Contains(r.Header.Values(viaHeader), via) {
		m.writePage(w, r, http.StatusBadGateway, "Detected proxying loop.")
		return
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, leader.url()+r.URL.RequestURI(), r.Body)
	if err != nil {
		m.writePage(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	request.ContentLength = r.ContentLength
	request.Header = r.Header.Clone()
	request.Header.Add(viaHeader, via)
	for _, hop := range []string{"Connection", "Keep-Alive", "Te", "Upgrade"} {
		request.Header.Del(hop)
	}
	response, err := m.proxy.Do(request)
	if err != nil {
		status := f.leaderDownStatus
		if errors.Is(err, os.ErrDeadlineExceeded) {
			status = f.leaderSlowStatus
		}
		m.writePage(w, r, status, err.Error())
		return
	}
	defer func() { _ = response.Body.Close() }()
	m.relay(w, response, via, events)
}

// relay copies the leader's answer. When it ends early, so does the copy.
func (m *master) relay(w http.ResponseWriter, response *http.Response, via string, events bool) {
	for name, values := range response.Header {
		if name != "Connection" {
			w.Header()[name] = values
		}
	}
	w.Header().Add(viaHeader, via)
	if !events || response.StatusCode != http.StatusOK {
		w.WriteHeader(response.StatusCode)
		if _, err := io.Copy(w, response.Body); err != nil {
			panic(http.ErrAbortHandler) // cuts the connection, which is what the client is to see
		}
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer m.release(conn)
	if !m.adopt(conn) || m.writeHead(conn, w.Header()) != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		awaitClose(rw.Reader)
		_ = response.Body.Close() // ends the copy below
	}()
	_, _ = io.Copy(conn, response.Body) // either side may end it
	_ = conn.Close()
	<-gone
}
