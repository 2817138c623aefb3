package launcher

import (
	"context"
	"net"
	"strings"
	"time"
)

// Task says what is to be started and where. Marathon's part of the environment
// is already in it; the docker parameters are not merged yet.
type Task struct {
	// ID is the task id, App the id of the app it belongs to and Version the
	// app's version it was started with.
	ID, App, Version string
	// Agent is the name that Marathon reports for the task's agent.
	Agent string
	// Address is the IP address that the task binds.
	Address string
	// Listeners hold the task's ports, in the order of Ports. They belong to the
	// launcher, which closes them when another program is to bind the port.
	Listeners []net.Listener
	// Ports are the ports the task is to serve at Address.
	Ports []int
	// Image is the image of a container, empty for a plain command.
	Image string
	// Cmd is a shell command, Args an argument vector; both may be empty.
	Cmd  string
	Args []string
	// Env is the environment, in which the app's own values have already won over
	// Marathon's.
	Env map[string]string
	// Parameters are those of "docker run"; "env" is honoured.
	Parameters []Parameter
	// URIs are the artifacts Mesos would fetch. They are looked at, never fetched.
	URIs []string
}

// Parameter is one option of "docker run".
type Parameter struct {
	Key, Value string
}

// Launcher starts tasks. Implementations are safe for concurrent use.
type Launcher interface {
	// Start starts the task and returns without waiting until it serves. The
	// context bounds the start, not the life of the process. After an error the
	// listeners of the task are closed.
	Start(ctx context.Context, t Task) (Process, error)
}

// Process is a started task. Its methods are safe for concurrent use and do not
// block.
type Process interface {
	// Done is closed when the process has ended and its files are gone.
	Done() <-chan struct{}
	// Exit says how the process ended. It is valid after Done.
	Exit() Exit
	// Stop asks the process to end (SIGTERM) and ends it by force after grace.
	Stop(grace time.Duration)
	// Crash ends the process at once (SIGKILL).
	Crash()
}

// Breaker is a Process whose answers can be broken for a while.
type Breaker interface {
	// SetBroken makes the process answer 503 to every request, or ends that.
	SetBroken(broken bool)
}

// Exit says how a process ended.
type Exit struct {
	// Code is the exit status; 128 plus the signal for one ended by a signal.
	Code int
	// Message is what Mesos would say about it.
	Message string
}

// environment returns the task's environment with the docker parameters merged
// in and addresses replaced by the given table.
func environment(t Task, addresses *strings.Replacer) map[string]string {
	env := make(map[string]string, len(t.Env)+len(t.Parameters))
	for k, v := range t.Env {
		env[k] = addresses.Replace(v)
	}
	for _, p := range t.Parameters {
		if p.Key != "env" {
			continue
		}
		k, v, _ := strings.Cut(p.Value, "=")
		env[k] = addresses.Replace(v)
	}
	return env
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close() // a second close is harmless, and nothing can be done about a first that does not work
	}
}
