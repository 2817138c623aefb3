package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"mlb/test/bench/stage"
)

// pause is how long a client waits after it was told that no task is there. HAProxy
// closes the connection then, and new ones cost more than requests.
const pause = 300 * time.Microsecond

// sightings are which tasks answered, and when.
type sightings struct {
	mu    sync.Mutex
	tasks map[string]*sighting // by address
	// requests counts the answers, failures those that came from no task.
	requests, failures int
	began              time.Duration
	wake               chan struct{} // has a token when something was seen
}

// sighting is what was seen of one task.
type sighting struct {
	// first and last are when its first and its last answer were complete, request
	// is the number of the last one.
	first, last time.Duration
	request     int
}

func newSightings() *sightings {
	return &sightings{tasks: map[string]*sighting{}, began: stage.Now(), wake: make(chan struct{}, 1)}
}

// note notes an answer; an empty address is one of no task.
func (s *sightings) note(address string, at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	t := s.tasks[address]
	switch {
	case address == "":
		s.failures++
	case t == nil:
		s.tasks[address] = &sighting{first: at, last: at, request: s.requests}
	default:
		t.last, t.request = max(t.last, at), s.requests
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// look returns what was seen of a task so far, and how many answers there were since.
func (s *sightings) look(address string) (seen sighting, since int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[address]
	if t == nil {
		return sighting{}, s.requests, false
	}
	return *t, s.requests - t.request, true
}

// count returns how many tasks have answered and how many answers there were.
func (s *sightings) count() (tasks, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tasks), s.requests
}

// wait returns when the condition holds; it is looked at after answers.
func (s *sightings) wait(ctx context.Context, what string, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, stage.Patience)
	defer cancel()
	for !condition() {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// start lets clients send requests. The function that it returns ends them.
func (s *sightings) start(ctx context.Context, clients ...prober) func() error {
	ctx, cancel := context.WithCancel(ctx)
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { errs[i] = errors.Join(s.probe(ctx, &clients[i]), clients[i].close()) })
	}
	return func() error {
		cancel()
		wg.Wait()
		return errors.Join(errs...)
	}
}

// probe sends requests on one connection, each when the last one was answered, until
// the context ends.
func (s *sightings) probe(ctx context.Context, p *prober) error {
	for ctx.Err() == nil {
		task, err := p.ask(ctx)
		if err != nil {
			return err
		}
		s.note(string(task), stage.Now())
		if len(task) == 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// prober is a client with one connection, which it opens again when it has ended.
type prober struct {
	address string
	request []byte
	conn    net.Conn
	answers *bufio.Reader
	task    []byte
}

// newProber returns a client. With a name that is not empty it asks for the task that
// its first request came to.
func newProber(address, name string) prober {
	header := ""
	if name != "" {
		header = stickHeader + ": " + name + "\r\n"
	}
	return prober{address: address, request: []byte("GET / HTTP/1.1\r\nHost: propagate\r\n" + header + "\r\n")}
}

func (p *prober) close() error {
	if p.conn == nil {
		return nil
	}
	err := p.conn.Close()
	p.conn = nil
	return err
}

// ask sends a request and returns the address of the task that answered, empty when
// HAProxy did because there is none. It begins anew when
// HAProxy has closed the connection before it answered.
func (p *prober) ask(ctx context.Context) (task []byte, err error) {
	for range 3 {
		if p.conn == nil {
			// A request ends by itself; an end of the context is between two.
			var d net.Dialer
			if p.conn, err = d.DialContext(context.WithoutCancel(ctx), "tcp", p.address); err != nil {
				p.conn = nil
				return nil, err
			}
			if err = p.conn.SetDeadline(time.Now().Add(stage.Patience)); err != nil {
				return nil, err
			}
			p.answers = bufio.NewReader(p.conn)
		}
		if _, err = p.conn.Write(p.request); err == nil {
			if task, err = p.read(); err == nil {
				return task, nil
			}
		}
		_ = p.close() // it is of no use
	}
	return nil, err
}

// read takes an answer in. It knows as much of HTTP as HAProxy's answers need.
func (p *prober) read() (task []byte, err error) {
	line, err := p.answers.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	status, _, _ := bytes.Cut(bytes.TrimSpace(line[min(len(line), len("HTTP/1.1 ")):]), []byte(" "))
	ok := string(status) == "200"
	if !ok && string(status) != "503" {
		return nil, fmt.Errorf("answer %q", line)
	}
	size := -1
	p.task = p.task[:0]
	for {
		if line, err = p.answers.ReadSlice('\n'); err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if size, err = strconv.Atoi(string(value)); err != nil {
				return nil, err
			}
		case bytes.EqualFold(name, []byte(stage.TaskHeader)):
			host, _, _ := bytes.Cut(value, []byte(":"))
			p.task = append(p.task, host...)
		}
	}
	if !ok {
		return nil, p.close() // HAProxy does, after it said that nobody is there
	}
	if size < 0 || len(p.task) == 0 {
		return nil, errors.New("an answer without length or task")
	}
	_, err = p.answers.Discard(size)
	return p.task, err
}
