package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// patience is how long a client waits for a connection, an answer or a message.
const patience = 20 * time.Second

// web is a client of HTTP with at most one connection. It repeats nothing: a request
// whose connection ends before the answer has failed, and a connection is given up
// only when the answer says so. It is for one goroutine.
type web struct {
	addr, host string
	// keep says that the connection is kept.
	keep bool

	conn    net.Conn
	answers *bufio.Reader
}

// reply is an answer.
type reply struct {
	status int
	task   string
	body   string
}

// send sends a request and reads the answer.
func (w *web) send(ctx context.Context, method, path string, body []byte) (reply, error) {
	r, err := w.exchange(ctx, method, path, body)
	if err != nil {
		_ = w.close() // the error says more
	}
	return r, err
}

// exchange is send without the end of the connection after an error.
func (w *web) exchange(ctx context.Context, method, path string, body []byte) (reply, error) {
	if err := w.open(ctx); err != nil {
		return reply{}, err
	}
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, w.host)
	if !w.keep {
		_, _ = b.WriteString("Connection: close\r\n")
	}
	if method == http.MethodPost {
		_, _ = fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	_, _ = b.WriteString("\r\n")
	_, _ = b.Write(body)
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return reply{}, err
	}
	if _, err := w.conn.Write(b.Bytes()); err != nil {
		return reply{}, fmt.Errorf("send from %s: %w", w.conn.LocalAddr(), err)
	}
	response, err := http.ReadResponse(w.answers, nil)
	if err != nil {
		return reply{}, fmt.Errorf("answer to %s: %w", w.conn.LocalAddr(), err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, fmt.Errorf("body of the answer to %s: %w", w.conn.LocalAddr(), err)
	}
	_ = response.Body.Close() // it was read to its end
	r := reply{status: response.StatusCode, task: response.Header.Get(taskHeader), body: string(text)}
	if response.Close || !w.keep {
		return r, w.close()
	}
	return r, nil
}

// open makes a connection if there is none.
func (w *web) open(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(ctx, "tcp4", w.addr)
	if err != nil {
		return err
	}
	w.conn, w.answers = conn, bufio.NewReader(conn)
	return nil
}

// close gives the connection up, if there is one.
func (w *web) close() error {
	if w.conn == nil {
		return nil
	}
	err := w.conn.Close()
	w.conn = nil
	return err
}

// work sends a request that a task has to work on, and checks the answer. It returns
// how long that took without the time that the task was asked to take.
func (w *web) work(ctx context.Context, l *ledger, app, method, nonce string) (time.Duration, error) {
	var body []byte
	if method == http.MethodPost {
		body = bytes.Repeat([]byte(nonce), 1+rand.IntN(100))
	}
	wait := pause()
	begin := time.Now()
	r, err := w.send(ctx, method, fmt.Sprintf("%s?nonce=%s&wait=%s", workPath, nonce, wait), body)
	took := time.Since(begin) - wait
	if err != nil {
		return took, err
	}
	if r.status != http.StatusOK && r.task == "" {
		return took, fmt.Errorf("status %d, not from a task: %.60q", r.status, r.body)
	}
	if want := answer(app, method, nonce, body); r.status != http.StatusOK || r.body != want || l.owner(r.task) != app {
		return took, fmt.Errorf("%w: %d %.200q of task %q, want %q of %s", errWrong, r.status, r.body, r.task, want, app)
	}
	return took, nil
}

// pause is how long a task is to take for a request: most are quick, so that there are
// many, and some are still under way when the task is told to end.
func pause() time.Duration {
	switch n := rand.IntN(100); {
	case n < 2:
		return 400 * time.Millisecond
	case n < 10:
		return 20 * time.Millisecond
	default:
		return 0
	}
}
