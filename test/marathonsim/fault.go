package marathonsim

import (
	"net/http"
	"strings"
	"time"
)

// FaultKind is a way in which a master misbehaves.
type FaultKind int

// The faults. Those that end in Stream concern /v2/events only, also connections
// that are open already; the others concern new requests.
const (
	// FaultNone is a master that behaves.
	FaultNone FaultKind = iota
	// FaultDelay answers after Delay.
	FaultDelay
	// FaultHang accepts requests and never answers.
	FaultHang
	// FaultReset resets the connection instead of answering.
	FaultReset
	// FaultTruncate cuts the body of an answer after Bytes bytes, or in the middle.
	FaultTruncate
	// FaultTruncateHead cuts the head of an answer after Bytes bytes, or in the
	// middle.
	FaultTruncateHead
	// FaultLeaderChange cuts the body of an answer as FaultTruncate does, because
	// the leader gives up at that moment.
	FaultLeaderChange
	// FaultStrange adds what no client knows: members of answers and events, and
	// events of unknown types.
	FaultStrange
	// FaultEmpty answers 200 with an empty body.
	FaultEmpty
	// FaultStatus answers with Status, 500 when that is 0, and an HTML page.
	FaultStatus
	// FaultNoApps answers requests for /v2/apps with an empty list.
	FaultNoApps
	// FaultSilentStream sends nothing on streams, no heartbeats either.
	FaultSilentStream
	// FaultMuteStream sends heartbeats on streams, but no events.
	FaultMuteStream
	// FaultSplitStream sends streams byte by byte.
	FaultSplitStream
	// FaultMergeStream sends events together that come within a few milliseconds,
	// in pieces that end anywhere.
	FaultMergeStream
	// FaultStallStream stops in the middle of the next event or heartbeat; the rest
	// follows when the fault is over.
	FaultStallStream
	// FaultHalfCloseStream ends what streams send and leaves the connection open.
	FaultHalfCloseStream
	// FaultDuplicateStream sends each event twice.
	FaultDuplicateStream
	// FaultReorderStream sends events of different types that come within a few
	// milliseconds in another order; those of one type keep theirs.
	FaultReorderStream
	// FaultCloseStream answers /v2/events with 200 and an end of stream.
	FaultCloseStream
)

// Fault is how a master misbehaves. The zero value is no fault.
type Fault struct {
	Kind FaultKind
	// Delay is that of FaultDelay.
	Delay time.Duration
	// Status is that of FaultStatus.
	Status int
	// Bytes is how much FaultTruncate, FaultTruncateHead and FaultLeaderChange let
	// through; 0 means half.
	Bytes int
	// Path restricts the fault to paths with this beginning; empty means all.
	Path string
	// Count ends the fault after so many requests; 0 means it stays.
	Count int
}

// AllMasters stands for every master in [Cluster.SetFault].
const AllMasters = -1

// SetFault makes a master misbehave from now on, or behave again. Events that a
// fault of streams keeps back are lost, as in life.
func (c *Cluster) SetFault(index int, f Fault) {
	for _, m := range c.masters {
		if index != AllMasters && index != m.index {
			continue
		}
		m.faultMu.Lock()
		m.fault = f
		close(m.faultChange)
		m.faultChange = make(chan struct{})
		m.faultMu.Unlock()
	}
}

// streamFault returns the present fault for streams, and what is closed when there
// is another.
func (m *master) streamFault() (FaultKind, <-chan struct{}) {
	m.faultMu.Lock()
	defer m.faultMu.Unlock()
	return m.fault.Kind, m.faultChange
}

// takeFault returns the fault for a request and counts it.
func (m *master) takeFault(path string) (Fault, <-chan struct{}) {
	m.faultMu.Lock()
	defer m.faultMu.Unlock()
	f := m.fault
	if !strings.HasPrefix(path, f.Path) {
		return Fault{}, m.faultChange
	}
	if f.Count > 0 && f.Kind < FaultSilentStream {
		m.fault.Count--
		if m.fault.Count == 0 {
			m.fault = Fault{}
		}
	}
	return f, m.faultChange
}

// misbehave carries out a fault before the request is looked at. It reports
// whether the request was dealt with.
func (m *master) misbehave(w http.ResponseWriter, r *http.Request, f Fault, change <-chan struct{}) bool {
	switch f.Kind { //nolint:exhaustive // the others are looked at elsewhere
	case FaultDelay:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return true
		case <-m.down:
			return true
		}
	case FaultHang:
		select {
		case <-r.Context().Done():
		case <-m.down:
		case <-change: // the fault is over; this request is lost all the same
		}
		m.reset(w)
		return true
	case FaultReset:
		m.reset(w)
		return true
	case FaultEmpty:
		m.commonHeader(w.Header())
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		return true
	case FaultStatus:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		m.writePage(w, r, status, http.StatusText(status))
		return true
	case FaultNoApps:
		if squeeze(r.URL.Path) == "/v2/apps" && r.Method == http.MethodGet {
			m.write(w, r, answer{status: http.StatusOK, body: []byte(`{"apps":[]}`)})
			return true
		}
	}
	return false
}
