package contract_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"mlb/test/balancer"
)

// running is a program that a behaviour has started and will end.
type running struct {
	cmd   *exec.Cmd
	log   *lines
	ended chan struct{} // closed when it has
}

// lines collects what a program writes. The zero value is empty.
type lines struct {
	// mu guards text, which a test reads while the program writes.
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the text.
func (l *lines) Write(more []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(more)
}

// String returns what there is so far.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start starts a program, which is killed after the test if it has not ended by then.
func start(t *testing.T, cmd *exec.Cmd) running {
	t.Helper()
	r := running{cmd: cmd, log: &lines{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = r.log, r.log
	cmd.WaitDelay = time.Second // for what it leaves in the background
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // usually it has ended
		<-r.ended
		if t.Failed() {
			t.Logf("log of %v:\n%s", cmd.Args, r.log)
		}
	})
	return r
}

// signal sends a signal to the program alone.
func (r running) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wait waits for the end and returns the exit status, -1 after a signal.
func (r running) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-r.ended:
	case <-time.After(balancer.Deadline):
		t.Fatalf("it has not ended:\n%s", r.log)
	}
	return r.cmd.ProcessState.ExitCode()
}
