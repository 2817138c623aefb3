package main

import (
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

// roleMarathon is the first word of the process that simulates Marathon.
const roleMarathon = "marathon"

// launchDelay is how long a simulated task stays in each state: long enough for the
// events of a deployment not to be those that are measured.
const launchDelay = 20 * time.Millisecond

// marathon simulates one Marathon for each side. It is a process of its own, so that
// its memory of thousands of apps does not slow down the clients whose requests are
// measured. First it prints the masters' addresses, then a line for each task that
// begins to run or to go, with the moment at which this was said. It ends with in.
func marathon(ctx context.Context, arg string, in io.Reader, out io.Writer) error {
	var s site
	if err := json.Unmarshal([]byte(arg), &s); err != nil {
		return err
	}
	document, err := s.document()
	if err != nil {
		return err
	}
	notes := make(chan note, 1<<16)
	var masters []string
	var clusters []*marathonsim.Cluster
	defer func() {
		for _, c := range clusters {
			_ = c.Close() // the process ends with it
		}
	}()
	for side := range sides {
		c, err := marathonsim.New(marathonsim.Options{
			Unserved: true, LaunchDelay: launchDelay, ServicePortMax: 1 << 16,
			ContainerNetwork: fmt.Sprintf("127.%d.0.0/16", 200+side), MaxOutstanding: 1 << 14,
			Observer: func(kind string, document []byte) { observe(notes, side, kind, document) },
		})
		if err != nil {
			return err
		}
		if err := c.Start(ctx); err != nil {
			return err
		}
		clusters = append(clusters, c)
		masters = append(masters, c.Masters()[0])
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

// note is what the simulator says about a task that begins to run or to go.
type note struct {
	// Side is whose Marathon said it, and At when, by now.
	Side int
	At   time.Duration
	// App and Task are ids, State is one of Marathon's.
	App, Task, State string
	// Address is the task's, without port.
	Address string
}

const (
	stateRunning = "TASK_RUNNING"
	stateKilling = "TASK_KILLING"
	stateKilled  = "TASK_KILLED"
)

// observe notes an event that matters.
func observe(notes chan<- note, side int, kind string, document []byte) {
	at := now()
	if kind != "status_update_event" {
		return
	}
	n, err := readNote(document)
	if err != nil || !slices.Contains([]string{stateRunning, stateKilling, stateKilled}, n.State) {
		return
	}
	n.Side, n.At = side, at
	notes <- n
}

func readNote(document []byte) (note, error) {
	var e struct {
		AppID, TaskID, TaskStatus string
		IPAddresses               []struct{ IPAddress string }
	}
	if err := json.Unmarshal(bytes.TrimSpace(document), &e); err != nil {
		return note{}, err
	}
	n := note{App: e.AppID, Task: e.TaskID, State: e.TaskStatus}
	if len(e.IPAddresses) == 0 {
		return n, errors.New("no address")
	}
	n.Address = e.IPAddresses[0].IPAddress
	return n, nil
}
