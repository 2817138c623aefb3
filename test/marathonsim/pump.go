package marathonsim

import (
	"cmp"
	"math/rand/v2"
	"net"
	"slices"
	"time"
)

// gathering is how long faults that need several events wait for more.
const gathering = 5 * time.Millisecond

// pump writes events and heartbeats until the stream ends.
func (m *master) pump(conn net.Conn, s *stream, gone <-chan struct{}) {
	interval := m.cluster.options.HeartbeatInterval
	heartbeat := time.NewTimer(interval)
	defer heartbeat.Stop()
	for {
		fault, change := m.streamFault()
		if t, ok := conn.(*net.TCPConn); ok && fault == FaultHalfCloseStream {
			_ = t.CloseWrite() // the client may have gone already
			heartbeat.Stop()
		}
		var pieces [][]byte
		select {
		case e := <-s.queue:
			if fault != FaultSilentStream && fault != FaultMuteStream {
				pieces = s.pieces(e, fault)
			}
		case <-heartbeat.C:
			heartbeat.Reset(interval)
			if fault != FaultSilentStream {
				pieces = [][]byte{{'\r'}, {'\n'}} // two writes: Jetty flushes after each
			}
		case <-change:
			continue
		case <-s.closed:
			return
		case <-gone:
			return
		case <-m.down:
			return
		}
		if fault == FaultHalfCloseStream {
			continue
		}
		for i, p := range pieces {
			if fault == FaultStallStream && i == len(pieces)/2 {
				select {
				case <-change:
				case <-s.closed:
					return
				case <-gone:
					return
				case <-m.down:
					return
				}
			}
			if _, err := conn.Write(p); err != nil {
				return
			}
		}
	}
}

// pieces returns what is to be written for an event, each piece at once.
func (s *stream) pieces(e event, fault FaultKind) [][]byte {
	b := s.frame(e)
	switch fault { //nolint:exhaustive // the others do not change what is written
	case FaultSplitStream:
		return split(b, 1)
	case FaultStallStream:
		return split(b, max(len(b)/2, 1))
	case FaultDuplicateStream:
		return [][]byte{b, b}
	case FaultStrange:
		return [][]byte{strangeFrame(b)}
	case FaultMergeStream:
		var all []byte
		for _, e := range s.gather(e) {
			all = append(all, s.frame(e)...)
		}
		at := rand.IntN(len(all))
		return [][]byte{all[:at], all[at:]}
	case FaultReorderStream:
		events := s.gather(e)
		slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.kind, b.kind) })
		var all [][]byte
		for _, e := range events {
			all = append(all, s.frame(e))
		}
		return all
	}
	return [][]byte{b}
}

// frame returns the event as the stream wants it.
func (s *stream) frame(e event) []byte {
	if s.light && e.light != nil {
		return e.light
	}
	return e.frame
}

// gather returns the event and those that come soon after it.
func (s *stream) gather(e event) []event {
	events := []event{e}
	timer := time.NewTimer(gathering)
	defer timer.Stop()
	for {
		select {
		case e := <-s.queue:
			events = append(events, e)
		case <-timer.C:
			return events
		}
	}
}

// split cuts b into pieces of n bytes.
func split(b []byte, n int) [][]byte {
	return slices.Collect(slices.Chunk(b, n))
}
