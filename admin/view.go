package admin

import (
	"context"
	"time"

	"mlb/discovery"
)

// Workers are HAProxy's worker processes.
type Workers struct {
	// HardStop is how long an old worker may go on, as HAProxy's configuration has
	// it; empty: without limit.
	HardStop string
	// Workers are in the order in which they are shown.
	Workers []Worker
}

// Worker is one worker process.
type Worker struct {
	// PID is the process id.
	PID int
	// Old says that the worker takes no new connections and ends with its last one.
	Old bool
	// Age is the time since its start, Reloads how many reloads it has lived through.
	Age     time.Duration
	Reloads int
	// Connections is the number of its connections; negative: it does not answer.
	Connections int
}

// Source is what is known about one Marathon, at one moment. A zero time means never.
type Source struct {
	// Cluster is its name; empty for the one without.
	Cluster string
	// Master is the address that answered last, without credentials.
	Master string
	// Data is when it last answered well, List when it did about all apps.
	Data, List time.Time
	// Restored says that Data is that of an earlier process: there is no answer yet.
	Restored bool
	// Event and Byte are when its event stream last brought one, Connected whether it is
	// attached.
	Event, Byte time.Time
	Connected   bool
	// Error is why the last reading failed, or empty.
	Error string
	// Held is what is served although the last answer lacks it; nil: nothing.
	Held *Held
}

// Held is what an answer would have removed without a reason (--max-removal).
type Held struct {
	// Since is when an answer was first held.
	Since time.Time
	// Endpoints of OfEndpoints, and Apps of OfApps, stay because of it.
	Endpoints, OfEndpoints, Apps, OfApps int
	// ConfirmationsLeft is how many answers more have to say the same.
	ConfirmationsLeft int
}

// View is what the interface shows and whom it asks. Its methods are called from
// many goroutines at once and must not block for longer than a client would wait.
type View interface {
	// GetConfig returns the configuration that HAProxy was started with,
	// without passwords (D51). It is empty as long as there is none. The slice is only
	// read.
	GetConfig() []byte
	// HostMap and AppMap return the map files of hosts and of app IDs as they are
	// now; empty when there are none or routing does not use them (contract 8). The
	// slices are only read.
	HostMap() []byte
	AppMap() []byte
	// PIDs returns the process ids of HAProxy's master and all its workers. Two
	// are the steady state; clients take more for a reload that is in progress.
	PIDs() []int
	// Live returns why mlb makes no progress, or nil if it does.
	Live() error
	// Ready returns why the routes cannot be relied on, or nil if they can. The
	// parts of an error made by errors.Join are shown one by one.
	Ready() error
	// Sources returns how fresh the data of each Marathon is, in the order in which it is
	// to be shown.
	Sources() []Source
	// Release lets the next answer that repeats what is held back remove it, and
	// reports whether anything is held.
	Release() bool
	// Problems returns what is wrong in the input, in the order in which it is to
	// be shown.
	Problems() []discovery.Problem
	// Workers returns HAProxy's worker processes. An error says why they are not
	// known. ctx is that of the request.
	Workers(ctx context.Context) (Workers, error)
	// Refresh asks for everything to be fetched and applied, as the signal HUP
	// does, and does not wait for it. reason goes to the log. It reports whether
	// somebody is there to do it; in poll mode nobody is.
	Refresh(reason string) bool
	// Reload asks for HAProxy to be reloaded with the configuration on disk, as
	// the signal USR1 does; otherwise it is like Refresh.
	Reload(reason string) bool
	// ReloadNow asks for the same in every mode, for who is on this machine.
	ReloadNow(reason string)
}
