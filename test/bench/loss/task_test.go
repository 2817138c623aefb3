package main

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"mlb/test/marathonsim/launcher"
)

// started starts a task with a port for HTTP and one for lines.
func started(t *testing.T, l *ledger) (p launcher.Process, web, lines string) {
	t.Helper()
	task := launcher.Task{ID: "t1", App: webApp, Env: map[string]string{linesEnv: "1"}}
	var at []string
	for range 2 {
		var config net.ListenConfig
		listener, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		task.Listeners = append(task.Listeners, listener)
		at = append(at, listener.Addr().String())
	}
	p, err := tasks{ledger: l}.Start(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Crash()
		<-p.Done()
	})
	return p, at[0], at[1]
}

// A task that is told to end takes no new connection, and finishes what it has begun.
func TestTaskFinishesWhatItHasBegun(t *testing.T) {
	t.Parallel()
	books := newLedger(func(string) {})
	p, at, linesAt := started(t, books)
	var talks []talk
	for _, dial := range []func() (talk, error){
		func() (talk, error) { return dialLines(t.Context(), linesAt) },
		func() (talk, error) { return dialSocket(t.Context(), at, webHost) },
	} {
		k, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		talks = append(talks, k)
		say(t, k, "before")
	}
	slow := make(chan error, 1)
	begun := web{addr: at, host: webHost, keep: true}
	if err := begun.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() {
		r, err := begun.send(t.Context(), http.MethodPost, workPath+"?nonce=n&wait=300ms", []byte("text"))
		if want := answer(webApp, http.MethodPost, "n", []byte("text")); err == nil && r.body != want {
			err = fmt.Errorf("%q, want %q", r.body, want)
		}
		slow <- err
	}()
	for books.seen("n") == 0 {
		<-time.After(time.Millisecond)
	}
	p.Stop(time.Minute)
	if err := <-slow; err != nil {
		t.Errorf("the request that had begun: %v", err)
	}
	for _, address := range []string{at, linesAt} {
		if c, err := new(net.Dialer).DialContext(t.Context(), "tcp4", address); err == nil {
			t.Errorf("%s takes connections", c.RemoteAddr())
			_ = c.Close()
		}
	}
	for _, k := range talks {
		select {
		case <-p.Done():
			t.Fatal("the task has ended before its sessions")
		default:
		}
		say(t, k, "after")
		if err := k.end(); err != nil {
			t.Error(err)
		}
	}
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("the task does not end")
	}
	if code := p.Exit().Code; code != 143 {
		t.Errorf("status %d", code)
	}
}

// A session that does not end is cut when the grace period is over.
func TestTaskCutsSessionsWhenTheTimeIsOver(t *testing.T) {
	t.Parallel()
	p, _, linesAt := started(t, newLedger(func(string) {}))
	k, err := dialLines(t.Context(), linesAt)
	if err != nil {
		t.Fatal(err)
	}
	say(t, k, "before")
	p.Stop(50 * time.Millisecond)
	<-p.Done()
	if answer, err := k.say(t.Context(), "after"); err == nil {
		t.Errorf("answer %q", answer)
	}
	if code := p.Exit().Code; code != 137 {
		t.Errorf("status %d", code)
	}
}

// say sends a message and wants the right answer.
func say(t *testing.T, k talk, message string) {
	t.Helper()
	answer, err := k.say(t.Context(), message)
	if err != nil || answer != "t1 "+message {
		t.Errorf("answer %q, %v", answer, err)
	}
}
