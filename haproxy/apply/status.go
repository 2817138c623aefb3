package apply

import (
	"sync"
	"time"

	"mlb/haproxy"
)

// Status is what there is to say about a loop at one moment.
type Status struct {
	// Running says that HAProxy runs.
	Running bool
	// Loaded is what HAProxy was started with; empty: it was not.
	Loaded haproxy.Config
	// InSync says that HAProxy runs what was asked for last.
	InSync bool
	// Leaving is the number of servers on their way out, Arriving that of servers whose
	// address refuses connections as yet.
	Leaving, Arriving int
	// LastReload is when the last attempt to reload ended; zero: none yet.
	LastReload time.Time
	// LastReloadError says why that attempt failed; empty: it did not.
	LastReloadError string
}

// status guards what the loop publishes for other goroutines: a reader must get an
// answer while the loop waits for HAProxy.
type status struct {
	mu  sync.Mutex
	now Status
}

// Status returns the present state. It does not block.
func (l *Loop) Status() Status {
	l.status.mu.Lock()
	defer l.status.mu.Unlock()
	return l.status.now
}

// publish makes the loop's state visible.
func (l *Loop) publish() {
	s := Status{
		Running: l.process.Running(), Loaded: l.loaded, Leaving: len(l.leaving.servers), Arriving: len(l.arriving.servers), LastReload: l.attempted,
		InSync: l.process.Running() && !l.desired.Empty() && len(l.pending) == 0 && !l.refusing(l.desired),
	}
	if l.attemptErr != nil {
		s.LastReloadError = l.attemptErr.Error()
	}
	l.status.mu.Lock()
	l.status.now = s
	l.status.mu.Unlock()
	inSync := 0.0
	if s.InSync {
		inSync = 1
	}
	l.metrics.inSync.Set(inSync)
	l.metrics.leaving.Set(float64(s.Leaving))
	l.metrics.arriving.Set(float64(s.Arriving))
}
