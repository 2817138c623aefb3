package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"mlb/test/bench/stage"
)

// roleBare is the first word of the bare program's process.
const roleBare = "bare"

// job is what the bare program is told.
type job struct {
	// Master is Marathon's address, Socket that of HAProxy's master, Config the file
	// that HAProxy runs.
	Master, Socket, Config string
	// Port is the port of all tasks.
	Port int
}

// bare is the floor: on each event of a task that begins to run or to go it asks
// Marathon for the app and sends HAProxy one batch of commands. It decides nothing
// else and keeps nothing but the names of servers. It ends with in.
func bare(ctx context.Context, arg string, in io.Reader, out io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(arg), &j); err != nil {
		return err
	}
	text, err := os.ReadFile(j.Config)
	if err != nil {
		return err
	}
	b := bareProgram{job: j, backends: readBackends(string(text)), client: &http.Client{Transport: &http.Transport{}}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // whatever ends it
		cancel()
	}()
	if err := b.follow(ctx, out); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

type bareProgram struct {
	job
	backends map[string]*backend // by the app's name in theirs
	leaving  []string            // commands that remove servers with connections
	client   *http.Client
}

// removal begins the command that removes a server.
const removal = "del server "

// backend is a backend of HAProxy.
type backend struct {
	name    string
	servers map[string]string // name by address
	checked bool              // they have health checks
}

// readBackends finds the backends of a configuration, by their name without the
// service port, which is the app's.
func readBackends(config string) map[string]*backend {
	backends := map[string]*backend{}
	present := &backend{}
	for line := range strings.Lines(config) {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && words[0] == "backend":
			present = &backend{name: words[1], servers: map[string]string{}}
			app := words[1]
			if i := strings.LastIndexByte(app, '_'); i > 0 {
				app = app[:i]
			}
			backends[app] = present
		case len(words) > 2 && words[0] == "server" && present.servers != nil:
			if host, _, err := net.SplitHostPort(words[2]); err == nil {
				present.servers[host] = words[1]
				present.checked = present.checked || slices.Contains(words, "check")
			}
		}
	}
	return backends
}

// follow reads events until the stream ends. It prints a line when they begin.
func (b *bareProgram) follow(ctx context.Context, out io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Master+"/v2/events?plan-format=light&event_type=status_update_event", http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := b.client.Do(request) //nolint:bodyclose // the defer below closes it
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("events: %s", response.Status)
	}
	if _, err := fmt.Fprintln(out, "following"); err != nil {
		return err
	}
	events := make(chan stage.Note)
	ended := make(chan error, 1)
	go func() { ended <- read(ctx, response.Body, events) }()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case n := <-events:
			if err := b.act(ctx, n.App); err != nil {
				return fmt.Errorf("%s: %w", n.App, err)
			}
		case <-again.C:
			if len(b.leaving) > 0 {
				if err := b.send(ctx, b.leaving); err != nil {
					return err
				}
			}
		case err := <-ended:
			return err
		}
	}
}

// read hands on the events of tasks that begin to run or to go, until the stream
// ends.
func read(ctx context.Context, stream io.Reader, events chan<- stage.Note) error {
	lines := bufio.NewReaderSize(stream, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		data, found := bytes.CutPrefix(line, []byte("data: "))
		if !found {
			continue
		}
		n, err := stage.ReadNote(data)
		if err != nil || n.State != stage.StateRunning && n.State != stage.StateKilling {
			continue
		}
		select {
		case events <- n:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// act makes the servers of one app those of its tasks.
func (b *bareProgram) act(ctx context.Context, app string) error {
	be := b.backends[strings.ReplaceAll(strings.TrimPrefix(app, "/"), "/", "_")]
	if be == nil {
		return errors.New("it has no backend")
	}
	running, err := b.running(ctx, app)
	if err != nil {
		return err
	}
	var commands, removals []string
	for _, address := range running {
		if _, there := be.servers[address]; !there {
			commands = append(commands, be.add(address, b.Port)...)
		}
	}
	for address, name := range be.servers {
		if !slices.Contains(running, address) {
			commands = append(commands, "set server "+be.name+"/"+name+" state maint")
			removals = append(removals, removal+be.name+"/"+name)
			delete(be.servers, address)
		}
	}
	if len(commands) == 0 {
		return nil
	}
	return b.send(ctx, append(commands, removals...))
}

// add returns the commands for a server that is new.
func (be *backend) add(address string, port int) []string {
	name := "bare_" + strings.ReplaceAll(address, ".", "_")
	be.servers[address] = name
	full := be.name + "/" + name
	add := fmt.Sprintf("add server %s %s:%d", full, address, port)
	if !be.checked {
		return []string{add, "set server " + full + " state ready"}
	}
	return []string{add + " check inter 60s fall 4", "enable health " + full, "set server " + full + " state ready"}
}

// running asks for the addresses of an app's tasks that run.
func (b *bareProgram) running(ctx context.Context, app string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Master+"/v2/apps"+app+"?embed=app.tasks", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	var document struct {
		App struct {
			Tasks []struct {
				State       string
				IPAddresses []struct{ IPAddress string }
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil { // so that the connection is used again
		return nil, err
	}
	var addresses []string
	for _, t := range document.App.Tasks {
		if t.State == stage.StateRunning && len(t.IPAddresses) > 0 {
			addresses = append(addresses, t.IPAddresses[0].IPAddress)
		}
	}
	return addresses, nil
}

// send sends the worker a batch of commands. A server that still has connections
// cannot be removed: its command is kept for later.
func (b *bareProgram) send(ctx context.Context, commands []string) error {
	answer, err := b.exchange(ctx, commands)
	if err != nil {
		return err
	}
	var removals []string
	for _, c := range commands {
		if strings.HasPrefix(c, removal) {
			removals = append(removals, c)
		}
	}
	b.leaving = slices.DeleteFunc(b.leaving, func(c string) bool { return slices.Contains(removals, c) })
	for line := range strings.Lines(answer) {
		switch line = strings.TrimSpace(line); {
		case line == "", line == "New server registered.":
		case line == "Server deleted." && len(removals) > 0:
			removals = removals[1:]
		case strings.Contains(line, "still has connections") && len(removals) > 0:
			b.leaving = append(b.leaving, removals[0])
			removals = removals[1:]
		default:
			return fmt.Errorf("%q: %s", commands, line)
		}
	}
	return nil
}

// exchange sends commands over a new connection and returns what is answered.
func (b *bareProgram) exchange(ctx context.Context, commands []string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", b.Socket)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // everything has been read
	if err = conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	// The master passes each command on to its worker.
	if _, err = io.WriteString(conn, "@1 "+strings.Join(commands, ";@1 ")+";quit\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
