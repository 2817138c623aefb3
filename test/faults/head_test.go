package faults_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mlb/test/marathonsim"
)

// heads are faults before the body of an answer. They concern streams, too.
func heads() []row {
	rows := []row{
		{name: "requests are not answered", begin: answering(nil, hang)},
		{name: "connections are reset instead of an answer", begin: answering(nil, reset)},
		{name: "answers end within their first line", begin: answering(nil, func(x *exchange) {
			x.write("HTTP/1.1 20")
			x.over = true
		})},
		{name: "answers end within their head", begin: answering(nil, func(x *exchange) {
			x.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Le")
			x.over = true
		})},
		{name: "connections are reset after the head", begin: answering(nil, func(x *exchange) {
			x.write(answer{status: http.StatusOK}.head(100))
			reset(x)
		})},
		{name: "heads come byte by byte, for ever", begin: answering(nil, func(x *exchange) {
			x.trickle("HTTP/1.1 200 OK\r\nX-Endless: "+strings.Repeat("x", 10_000), 20*time.Millisecond)
		})},
		{name: "heads are longer than anything sensible", begin: at(fault{cut: true, times: 2, answer: func(x *exchange) {
			x.write("HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 11<<20) + "\r\nContent-Length: 2\r\n\r\n{}")
			x.over = true
		}})},
		{name: "answers are not HTTP", begin: answering(nil, func(x *exchange) {
			x.write("-ERR unknown command 'GET'\r\n")
			x.over = true
		})},
		{name: "answers are redirected in a circle", begin: answering(nil, redirects(func(x *exchange) string { return x.url + x.request.URL.RequestURI() }))},
		{name: "redirects lead nowhere", begin: answering(nil, redirects(func(*exchange) string { return "" }))},
		{name: "answers are redirected to another scheme", begin: answering(nil, redirects(func(*exchange) string { return "file:///etc/passwd" }))},
		{
			name: "answers are redirected to a stranger, who asks for a login", begin: toStranger,
			options: withUser(), noticed: func(g *rig) bool { return g.stranger.hits() > 0 },
		},
	}
	for _, s := range []struct {
		status     int
		kind, body string
	}{
		{http.StatusNoContent, "application/json", ""},
		{http.StatusPartialContent, "application/json", `{"apps":[]}`},
		{http.StatusNotModified, "application/json", ""},
		{http.StatusBadRequest, "text/html", page},
		{http.StatusUnauthorized, "text/html", page},
		{http.StatusForbidden, "application/json", `{"message":"Not Authorized to perform this action!"}`},
		{http.StatusNotFound, "text/html", page},
		{http.StatusTooManyRequests, "text/html", page},
		{http.StatusInternalServerError, "application/json", `{"message":"URI not found"}`},
		{http.StatusBadGateway, "text/html", page},
		{http.StatusServiceUnavailable, "text/html", page},
		{http.StatusGatewayTimeout, "text/html", page},
	} {
		rows = append(rows, row{
			name:  fmt.Sprintf("answers have status %d", s.status),
			begin: answering(nil, says(s.status, s.kind, s.body)),
		})
	}
	return append(rows, row{
		name:  "every other answer is that there are too many connections",
		begin: answering(nil, alternating(says(http.StatusServiceUnavailable, "text/html", page))),
	})
}

// redirects answers with a redirect.
func redirects(where func(x *exchange) string) func(x *exchange) {
	return func(x *exchange) {
		x.write(answer{status: http.StatusFound, header: http.Header{"Location": {where(x)}}}.head(0))
	}
}

// toStranger redirects everything to a server that mlb was told nothing of. It must not
// get the password.
func toStranger(t *testing.T, g *rig) func() {
	t.Helper()
	stranger := newGate(t, "")
	stranger.known = strings.NewReplacer()
	secrets := make(chan string, 1)
	stranger.set(t, fault{answer: func(x *exchange) {
		if x.request.Header.Get("Authorization") != "" {
			select {
			case secrets <- x.request.URL.Path:
			default:
			}
		}
		says(http.StatusOK, "text/html", page)(x)
	}})
	g.stranger = stranger
	end := answering(nil, redirects(func(x *exchange) string { return stranger.url + x.request.URL.RequestURI() }))(t, g)
	return func() {
		end()
		select {
		case path := <-secrets:
			t.Errorf("a stranger was given the password with %s", path)
		default:
		}
	}
}

// withUser are options of masters that want a password.
func withUser() marathonsim.Options {
	return marathonsim.Options{Username: "bob", Password: "hu:sh"}
}

// alternating deals with every other request in one way, and passes the others.
func alternating(how func(x *exchange)) func(x *exchange) {
	var n atomic.Int64
	return func(x *exchange) {
		if n.Add(1)%2 == 1 {
			how(x)
			return
		}
		pass(x)
	}
}
