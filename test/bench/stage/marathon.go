package stage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"mlb/test/marathonsim"
)

// RoleMarathon is the first word of the process that simulates Marathon.
const RoleMarathon = "marathon"

// launchDelay is how long a simulated task stays in each state: long enough for the
// events of a deployment not to be those that are measured.
const launchDelay = 20 * time.Millisecond

// Cast is what the process that simulates Marathon is told.
type Cast struct {
	Site
	// Clusters is how many Marathons run the site, each with tasks of its own.
	Clusters int
	// Counted says that everything asked of the masters passes a gate, which counts:
	// see [Scene.Counts].
	Counted bool
}

// Marathon simulates Marathons for [StartMarathon]. It is a process of its own, so that
// its memory of thousands of apps does not slow down what is measured. First it prints
// the masters' addresses, then a line for each task that begins to run or to go, with
// the moment at which this was said. It ends with in.
func Marathon(ctx context.Context, arg string, in io.Reader, out io.Writer) error {
	var cast Cast
	if err := json.Unmarshal([]byte(arg), &cast); err != nil {
		return err
	}
	document, err := cast.Document()
	if err != nil {
		return err
	}
	notes := make(chan Note, 1<<16)
	var masters []string
	var ends []func()
	defer func() {
		for _, end := range slices.Backward(ends) {
			end()
		}
	}()
	var clusters []*marathonsim.Cluster
	for n := range cast.Clusters {
		c, err := marathonsim.New(marathonsim.Options{
			Unserved: true, LaunchDelay: launchDelay, ServicePortMax: 1 << 16,
			ContainerNetwork: fmt.Sprintf("127.%d.0.0/16", 200+n), MaxOutstanding: 1 << 14,
			Observer: func(kind string, document []byte) { observe(notes, n, kind, document) },
		})
		if err != nil {
			return err
		}
		if err := c.Start(ctx); err != nil {
			return err
		}
		ends = append(ends, func() { _ = c.Close() }) // the process ends with it
		master := c.Masters()[0]
		if cast.Counted {
			g, err := newGate(ctx, master)
			if err != nil {
				return err
			}
			ends = append(ends, g.close)
			master = g.address
		}
		clusters, masters = append(clusters, c), append(masters, master)
		if err := c.Deploy(document); err != nil {
			return err
		}
	}
	for _, c := range clusters {
		if err := c.WaitIdle(ctx); err != nil {
			return err
		}
	}
	lines := json.NewEncoder(out)
	if err := lines.Encode(masters); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	for {
		select {
		case n := <-notes:
			if err := lines.Encode(n); err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// Note is what the simulator says about a task that begins to run or to go.
type Note struct {
	// Cluster is whose Marathon said it, and At when, by [Now].
	Cluster int
	At      time.Duration
	// App and Task are ids, State is one of Marathon's.
	App, Task, State string
	// Address is the task's, without port.
	Address string
}

// The states of tasks that are noted.
const (
	StateRunning = "TASK_RUNNING"
	StateKilling = "TASK_KILLING"
	StateKilled  = "TASK_KILLED"
)

// observe notes an event that matters.
func observe(notes chan<- Note, cluster int, kind string, document []byte) {
	at := Now()
	if kind != "status_update_event" {
		return
	}
	n, err := ReadNote(document)
	if err != nil || !slices.Contains([]string{StateRunning, StateKilling, StateKilled}, n.State) {
		return
	}
	n.Cluster, n.At = cluster, at
	notes <- n
}

// ReadNote reads what a status_update_event says; one without the task's address is an
// error.
func ReadNote(document []byte) (Note, error) {
	var e struct {
		AppID, TaskID, TaskStatus string
		IPAddresses               []struct{ IPAddress string }
	}
	if err := json.Unmarshal(bytes.TrimSpace(document), &e); err != nil {
		return Note{}, err
	}
	n := Note{App: e.AppID, Task: e.TaskID, State: e.TaskStatus}
	if len(e.IPAddresses) == 0 {
		return n, errors.New("no address")
	}
	n.Address = e.IPAddresses[0].IPAddress
	return n, nil
}

// StartMarathon starts the process that [Marathon] is, with messages to the file log,
// and returns a scene for each cluster when all tasks run. stop is not nil if there is
// something to stop, also after an error.
func StartMarathon(ctx context.Context, cast Cast, log string) (scenes []*Scene, stop func() error, err error) {
	c, out, err := Role(ctx, RoleMarathon, cast, log)
	if err != nil {
		return nil, nil, err
	}
	read := make(chan struct{})
	stop = func() error {
		err := c.Stop()
		<-read
		return errors.Join(err, out.Close())
	}
	lines := json.NewDecoder(bufio.NewReader(out))
	var masters []string
	if err := lines.Decode(&masters); err != nil {
		close(read)
		return nil, stop, errors.Join(err, c.Failure())
	}
	for _, m := range masters {
		scenes = append(scenes, &Scene{Master: m, notes: make(chan Note, 1024)})
	}
	go func() {
		defer close(read)
		for {
			var n Note
			if lines.Decode(&n) != nil {
				return // it has ended, or will be found not to answer
			}
			select {
			case scenes[n.Cluster].notes <- n:
			default: // nobody waits for one of so many
			}
		}
	}()
	return scenes, stop, nil
}
