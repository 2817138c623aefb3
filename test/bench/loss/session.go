package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// talk is a session over TCP or WebSocket in which each message is answered by the
// task's id and the message. It is for one goroutine.
type talk interface {
	// say sends a message without blanks and line ends, and returns the answer.
	say(ctx context.Context, message string) (string, error)
	// end ends the session as its client should.
	end() error
}

// lines is a session of lines over TCP.
type lines struct {
	conn    net.Conn
	answers *bufio.Reader
}

// dialLines begins a session.
func dialLines(ctx context.Context, addr string) (talk, error) {
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return nil, err
	}
	return &lines{conn: conn, answers: bufio.NewReader(conn)}, nil
}

func (l *lines) say(_ context.Context, message string) (string, error) {
	if err := l.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(l.conn, message+"\n"); err != nil {
		return "", err
	}
	answer, err := l.answers.ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

func (l *lines) end() error { return l.conn.Close() }

// socket is a session over WebSocket.
type socket struct{ conn *websocket.Conn }

// dialSocket begins a session with a virtual host.
func dialSocket(ctx context.Context, addr, host string) (talk, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true}
	conn, response, err := websocket.Dial(ctx, "ws://"+addr+socketPath, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, Host: host,
	})
	if response != nil && response.Body != nil {
		_ = response.Body.Close() // the library has read what there is
	}
	if err != nil {
		return nil, err
	}
	return &socket{conn}, nil
}

func (s *socket) say(ctx context.Context, message string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		return "", err
	}
	_, answer, err := s.conn.Read(ctx)
	return string(answer), err
}

func (s *socket) end() error { return s.conn.Close(websocket.StatusNormalClosure, "") }

// converse holds sessions one after the other until the context ends, each as long as
// the kind says, with a message each 100 ms. It is one of those that the kind's
// sessions are; where tells it from the others.
func (k kind) converse(ctx context.Context, where place, b *book, l *ledger, name string) {
	for n := 0; ctx.Err() == nil; n++ {
		begin := time.Now()
		c := cell{b.stage(), k.name}
		// What has begun is finished.
		t, err := k.dial(context.WithoutCancel(ctx), where)
		if err != nil {
			b.note(c, begin, time.Since(begin), fmt.Errorf("begin of a session: %w", err))
			rest(ctx, betweenMessages)
			continue
		}
		k.keepUp(ctx, t, b, l, fmt.Sprintf("%s.%d", name, n))
	}
}

// betweenMessages is how long a session is silent after each answer.
const betweenMessages = 100 * time.Millisecond

// keepUp is one session.
func (k kind) keepUp(ctx context.Context, t talk, b *book, l *ledger, name string) {
	first, task := time.Now(), ""
	for n := 0; ctx.Err() == nil && (k.life == 0 || time.Since(first) < k.life); n++ {
		begin := time.Now()
		c := cell{b.stage(), k.name}
		message := fmt.Sprintf("%s.%d", name, n)
		answer, err := t.say(context.WithoutCancel(ctx), message)
		took := time.Since(begin)
		if err != nil {
			b.note(c, begin, took, fmt.Errorf("session of %s with %s was cut: %w", time.Since(first).Round(time.Millisecond), task, err))
			_ = t.end() // it has ended
			rest(ctx, betweenMessages)
			return
		}
		from, rested, _ := strings.Cut(answer, " ")
		if rested != message || l.owner(from) != k.app || task != "" && from != task {
			err = fmt.Errorf("%w: %.200q, want %q of %s %s", errWrong, answer, message, k.app, task)
		}
		task = from
		b.note(c, begin, took, err)
		rest(ctx, betweenMessages)
	}
	begin := time.Now()
	if err := t.end(); err != nil && !errors.Is(err, net.ErrClosed) {
		b.note(cell{b.stage(), k.name}, begin, time.Since(begin), fmt.Errorf("end of a session with %s: %w", task, err))
	}
}

// rest waits, at most until the context ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
