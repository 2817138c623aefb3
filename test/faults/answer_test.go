package faults_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
)

// head returns status line and header of the answer, whose body has n bytes.
func (a answer) head(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Length: %d\r\n", a.status, http.StatusText(a.status), n)
	_ = a.header.Write(&b) // a Builder takes everything
	return b.String() + "\r\n"
}

// headWith is head with other lines than that of the length.
func (a answer) headWith(lines string) string {
	return strings.Replace(a.head(0), "Content-Length: 0\r\n", lines, 1)
}

// packed compresses a text.
func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // a Buffer takes everything
	_ = z.Close()
	return b.String()
}

// page is an HTML page, as proxies and the filters of Marathon answer.
const page = "<html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>\n"

// says answers every request with a status and a body of a type, such as "text/html".
func says(status int, kind, body string) func(x *exchange) {
	return func(x *exchange) {
		a := answer{status: status, header: http.Header{"Content-Type": {kind}}, body: body}
		x.write(a.head(len(body)) + body)
	}
}

// spoils asks the master and answers with what is made of its answer. Requests that the
// master does not answer well are passed.
func spoils(spoil func(x *exchange, a answer)) func(x *exchange) {
	return func(x *exchange) {
		a, err := x.ask()
		switch {
		case err != nil:
			reset(x)
		case a.status != http.StatusOK:
			x.say(a)
		default:
			spoil(x, a)
		}
	}
}

// bodies replaces the bodies of answers.
func bodies(change func(body string) string) func(x *exchange) {
	return spoils(func(x *exchange, a answer) {
		a.body = change(a.body)
		x.say(a)
	})
}

// body answers with status 200 and another body.
func body(text string) func(x *exchange) { return bodies(func(string) string { return text }) }
