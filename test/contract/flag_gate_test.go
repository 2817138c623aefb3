package contract_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mlb/test/balancer"
)

// gate stands before a master, as a proxy does that other people run.
type gate struct {
	*httptest.Server
	// streams counts the requests for events.
	streams atomic.Int64
}

// keeper decides about each request that comes to a gate: it answers it itself, or
// hands it on.
type keeper func(next http.Handler) http.Handler

// handOn lets everything through.
func handOn(next http.Handler) http.Handler { return next }

// answers gives every request the same answer.
func answers(status int, text string) keeper {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text) // the client may have gone
		})
	}
}

// newGate starts a gate before a master. edit changes the answers for apps; nil
// leaves them.
func newGate(t *testing.T, master string, keep keeper, edit func([]byte) []byte) *gate {
	t.Helper()
	g := newShutGate(t, master, keep, edit)
	g.Start()
	return g
}

// newTLSGate is newGate with a certificate for 127.0.0.1 that nobody has signed.
func newTLSGate(t *testing.T, master string, keep keeper) *gate {
	t.Helper()
	g := newShutGate(t, master, keep, nil)
	g.StartTLS()
	return g
}

// newShutGate returns a gate that does not listen yet.
func newShutGate(t *testing.T, master string, keep keeper, edit func([]byte) []byte) *gate {
	t.Helper()
	target, err := url.Parse(master)
	if err != nil {
		t.Fatal(err)
	}
	silent := log.New(io.Discard, "", 0) // clients that give up are wanted
	transport := &http.Transport{}
	kept := keep(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // events are not held back
		ErrorLog:      silent,
		ModifyResponse: func(answer *http.Response) error {
			if edit == nil || answer.Request.URL.Path != "/v2/apps" {
				return nil
			}
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				return err
			}
			text = edit(text)
			answer.Body = io.NopCloser(bytes.NewReader(text))
			answer.ContentLength = int64(len(text))
			answer.Header.Set("Content-Length", strconv.Itoa(len(text)))
			return nil
		},
	})
	g := &gate{}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/v2/events") {
			g.streams.Add(1)
		}
		r.Header.Del("Accept-Encoding") // what is edited has to be plain
		kept.ServeHTTP(w, r)
	}))
	g.Config.ErrorLog = silent
	t.Cleanup(func() {
		g.CloseClientConnections()
		g.Close()
		transport.CloseIdleConnections()
	})
	return g
}

// broken is what a task says that fails; it does not say who it is.
const broken = "broken on purpose\n"

// tasksOf returns how many tasks answer on a service port, of six requests; those that
// fail are one.
func tasksOf(t *testing.T, b *balancer.Balancer, port int) int {
	t.Helper()
	tasks := map[string]bool{}
	for range 6 {
		a, err := b.Port(port, "/").Send(t.Context())
		if err == nil && (a.Task != "" || a.Body == broken) {
			tasks[a.Task] = true
		}
	}
	return len(tasks)
}
