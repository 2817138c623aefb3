package main

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"mlb/test/marathonsim/launcher"
)

// The header and the paths by which client and tasks understand each other.
const (
	taskHeader  = "X-Task"
	workPath    = "/work"
	socketPath  = "/socket"
	healthPath  = "/health"
	linesEnv    = "LINES_PORT_INDEX"
	neverLonger = 10 * time.Second // no client leaves a task waiting for a head so long
)

// tasks launches the tasks of all apps as servers in this process. Each behaves as a
// task should: after SIGTERM it takes no new connection, finishes the requests under
// way, and lets long sessions go on until their clients end them or the grace period
// is over. On the port whose index the variable LINES_PORT_INDEX names it answers
// lines, on the others HTTP.
type tasks struct {
	ledger *ledger
	// abrupt makes a task close its ports with the connections that the system has
	// accepted for it and that it has not taken yet; those are reset.
	abrupt bool
}

// Start implements [launcher.Launcher].
func (l tasks) Start(_ context.Context, t launcher.Task) (launcher.Process, error) {
	l.ledger.started(t.ID, t.App)
	p := &process{
		tasks: l, id: t.ID, app: t.App,
		stop: make(chan time.Duration, 1), crash: make(chan struct{}), done: make(chan struct{}),
		sessions: map[io.Closer]struct{}{},
	}
	p.http = &http.Server{Handler: p.handler(), ReadHeaderTimeout: neverLonger}
	lines, err := strconv.Atoi(t.Env[linesEnv])
	if err != nil {
		lines = -1
	}
	for i, listener := range t.Listeners {
		door, err := newDoor(listener)
		if err != nil {
			return nil, err
		}
		p.doors = append(p.doors, door)
		if i == lines {
			p.running.Go(func() { p.serveLines(door) })
		} else {
			p.running.Go(func() { _ = p.http.Serve(door) }) // it ends because we close the door
		}
	}
	go p.live()
	return p, nil
}

// process is one task.
type process struct {
	tasks

	id, app string
	http    *http.Server
	doors   []*door

	stop       chan time.Duration // the grace period of Stop
	crash      chan struct{}
	done       chan struct{}
	exit       launcher.Exit // written before done is closed
	once, quit sync.Once
	running    sync.WaitGroup // those that accept, and sessions

	mu       sync.Mutex // guards sessions, which many goroutines begin and end
	sessions map[io.Closer]struct{}
}

// Done implements [launcher.Process].
func (p *process) Done() <-chan struct{} { return p.done }

// Exit implements [launcher.Process].
func (p *process) Exit() launcher.Exit { return p.exit }

// Stop implements [launcher.Process].
func (p *process) Stop(grace time.Duration) { p.quit.Do(func() { p.stop <- grace }) }

// Crash implements [launcher.Process].
func (p *process) Crash() { p.once.Do(func() { close(p.crash) }) }

// live is the task's life.
func (p *process) live() {
	defer close(p.done)
	select {
	case grace := <-p.stop:
		p.finish(grace)
	case <-p.crash:
		p.abort()
	}
	p.running.Wait()
}

// finish is what a task does after SIGTERM.
func (p *process) finish(grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, d := range p.doors {
			d.shut(p.abrupt)
		}
		_ = p.http.Shutdown(ctx) // what is left when the time is over is cut below
		p.running.Wait()
	}()
	p.exit = launcher.Exit{Code: 143, Message: "Container exited with status 143"}
	select {
	case <-ended:
		return
	case <-ctx.Done():
	case <-p.crash:
	}
	p.abort()
	cancel()
	<-ended
}

// abort cuts every connection.
func (p *process) abort() {
	p.exit = launcher.Exit{Code: 137, Message: "Container exited with status 137"}
	for _, d := range p.doors {
		d.shut(true)
	}
	_ = p.http.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.sessions {
		_ = c.Close()
	}
}

// enter notes a long session, which abort cuts. The function that it returns ends it.
func (p *process) enter(c io.Closer) (leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[c] = struct{}{}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.sessions, c)
		_ = c.Close()
	}
}

// serveLines answers lines on a port.
func (p *process) serveLines(d *door) {
	for {
		c, err := d.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() {
			defer p.enter(c)()
			echo(c, p.id)
		})
	}
}

// handler answers requests.
func (p *process) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(workPath, p.work)
	mux.HandleFunc(socketPath, p.socket)
	mux.HandleFunc(healthPath, func(http.ResponseWriter, *http.Request) {})
	return mux
}

// work answers a request as [answer] says, after the time that it asks for.
func (p *process) work(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	nonce := r.FormValue("nonce")
	if r.Method == http.MethodPost {
		p.ledger.post(nonce)
	}
	if wait, err := time.ParseDuration(r.FormValue("wait")); err == nil && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set(taskHeader, p.id)
	_, _ = io.WriteString(w, answer(p.app, r.Method, nonce, body)) // the client may have gone
}

// answer is what a task of an app says to a request: whose it is, and what was asked.
func answer(app, method, nonce string, body []byte) string {
	return fmt.Sprintf("%s %s %s %d bytes %08x\n", app, method, nonce, len(body), crc32.ChecksumIEEE(body))
}

// socket answers the messages of a WebSocket session.
func (p *process) socket(w http.ResponseWriter, r *http.Request) {
	// The server does not know of the session any more once it is one.
	p.running.Add(1)
	defer p.running.Done()
	w.Header().Set(taskHeader, p.id)
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer p.enter(cutter{c})()
	ctx := context.WithoutCancel(r.Context())
	for {
		kind, text, err := c.Read(ctx)
		if err != nil {
			return // the client has ended the session
		}
		if err := c.Write(ctx, kind, append([]byte(p.id+" "), text...)); err != nil {
			return
		}
	}
}

// cutter closes a WebSocket session without a word.
type cutter struct{ *websocket.Conn }

// Close implements [io.Closer].
func (c cutter) Close() error { return c.CloseNow() }

// echo answers each line with the task's id and the line, until the client ends.
func echo(c net.Conn, id string) {
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // the client, or HAProxy's health check, has gone
		}
		if _, err := io.WriteString(c, id+" "+line); err != nil {
			return
		}
	}
}
