package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The apps, and where they are found.
const (
	webApp, webHost   = "/shop/web", "web.example"
	echoApp, echoHost = "/shop/echo", "echo.example"
	webPort           = 10001 // HTTP
	webLinesPort      = 10002 // TCP
	echoLinesPort     = 10003 // TCP
	echoPort          = 10004 // HTTP
	newPort           = 10101 // of the first of the apps that are new
)

// place is where the balancer listens.
type place struct{ host string }

// web is the address for virtual hosts.
func (p place) web() string { return p.host + ":8080" }

// port is the address of a service port.
func (p place) port(n int) string { return fmt.Sprintf("%s:%d", p.host, n) }

// kind is a way of using an app.
type kind struct {
	name string
	app  string
	// method is that of the requests; empty for sessions.
	method string
	// keep says that requests keep their connection.
	keep bool
	// dial begins a session; nil for requests.
	dial func(ctx context.Context, at place) (talk, error)
	// life is how long a session goes on before its client ends it; 0 means until
	// the end of everything.
	life time.Duration
}

// sessionLife is how long sessions with the app go on whose tasks are replaced: a task
// that was told to end waits for its sessions.
const sessionLife = 4 * time.Second

// kinds are all ways that are measured, in the order of the table.
func kinds() []kind {
	toLines := func(port int) func(context.Context, place) (talk, error) {
		return func(ctx context.Context, at place) (talk, error) { return dialLines(ctx, at.port(port)) }
	}
	toSocket := func(host string) func(context.Context, place) (talk, error) {
		return func(ctx context.Context, at place) (talk, error) { return dialSocket(ctx, at.web(), host) }
	}
	return []kind{
		{name: "GET, kept", app: webApp, method: http.MethodGet, keep: true},
		{name: "GET, new", app: webApp, method: http.MethodGet},
		{name: "POST, kept", app: webApp, method: http.MethodPost, keep: true},
		{name: "POST, new", app: webApp, method: http.MethodPost},
		{name: "TCP, 4 s", app: webApp, dial: toLines(webLinesPort), life: sessionLife},
		{name: "TCP, whole run", app: echoApp, dial: toLines(echoLinesPort)},
		{name: "WebSocket, 4 s", app: webApp, dial: toSocket(webHost), life: sessionLife},
		{name: "WebSocket, whole run", app: echoApp, dial: toSocket(echoHost)},
	}
}

// requestKinds is how many of the kinds are requests, among which the rate is shared.
func requestKinds() int {
	n := 0
	for _, k := range kinds() {
		if k.dial == nil {
			n++
		}
	}
	return n
}

// load is all clients.
type load struct {
	options

	at     place
	book   *book
	ledger *ledger
	// rate is the number of requests per second that all clients together aim at.
	rate atomic.Int64
	wg   sync.WaitGroup
}

// start starts all clients; they end with the context, and the caller waits for wg.
func (l *load) start(ctx context.Context) {
	for i, k := range kinds() {
		if k.dial != nil {
			for n := range l.sessions {
				l.wg.Go(func() { k.converse(ctx, l.at, l.book, l.ledger, fmt.Sprintf("%d.%d", i, n)) })
			}
			continue
		}
		for n := range l.clients {
			l.wg.Go(func() { l.repeat(ctx, k, fmt.Sprintf("%d.%d", i, n)) })
		}
	}
}

// repeat is one client of a kind: it sends the next request when the last has been
// answered, and not before its turn has come.
func (l *load) repeat(ctx context.Context, k kind, name string) {
	w := &web{addr: l.at.web(), host: webHost, keep: k.keep}
	defer w.close() //nolint:errcheck // everything has been read
	next := time.Now().Add(rand.N(l.interval()))
	for n := 0; ; n++ {
		rest(ctx, time.Until(next))
		if ctx.Err() != nil {
			return
		}
		begin := time.Now()
		c := cell{l.book.stage(), k.name}
		// What has begun is finished.
		took, err := w.work(context.WithoutCancel(ctx), l.ledger, k.app, k.method, fmt.Sprintf("%s.%d", name, n))
		l.book.note(c, begin, took, err)
		// Who is late catches up, one request after the other, but not for long.
		const most = time.Second
		if next = next.Add(l.interval()); begin.Sub(next) > most {
			next = begin.Add(-most)
		}
	}
}

// interval is the time between two requests of one client.
func (l *load) interval() time.Duration {
	return time.Duration(float64(time.Second) * float64(l.clients*requestKinds()) / float64(l.rate.Load()))
}

// kindOf returns the kind of request that a nonce belongs to.
func kindOf(nonce string) string {
	for i, k := range kinds() {
		if strings.HasPrefix(nonce, fmt.Sprintf("%d.", i)) {
			return k.name
		}
	}
	return ""
}
