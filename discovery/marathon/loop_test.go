package marathon_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// TestTheSocketIsReadWhileAPassBlocks runs all parts together against a master on
// the wire. Marathon drops events (up to 1.7) or the connection (later) of a
// consumer that does not keep up.
func TestTheSocketIsReadWhileAPassBlocks(t *testing.T) {
	t.Parallel()
	const flood = 20_000 // events, far more than the buffers of a socket hold
	written := make(chan struct{})
	blocked := make(chan struct{})
	m := newMaster(t, paths(map[string]wire{
		"/v2/apps": list("/a"),
		"/v2/events": func(conn *net.TCPConn, req *http.Request) {
			_, _ = io.WriteString(conn, streamHead+attached())
			<-blocked
			if _, err := io.WriteString(conn, strings.Repeat(statusUpdate("/a"), flood)); err == nil {
				close(written)
			}
			hangs(conn, req)
		},
	}))
	client := newClient(t, quick(), m.url)
	metrics := marathon.NewMetrics(nil)
	stream := marathon.NewStream(marathon.StreamConfig{}, client, zap.NewNop(), metrics)
	deriver := marathon.NewDeriver(everything(), agents(), zap.NewNop())
	release := make(chan struct{})
	passes := make(chan discovery.Snapshot, 1000)
	first := true
	pass := func(ctx context.Context, s discovery.Snapshot) {
		if first && !stream.Status().LastEvent.IsZero() {
			first = false
			close(blocked)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		passes <- s
	}
	failure := func(_ context.Context, err error) { t.Errorf("fetch failed: %v", err) }
	w := marathon.NewWatcher(marathon.WatcherConfig{}, client, stream, deriver, pass, failure, zap.NewNop(), metrics)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	select {
	case <-written:
	case <-time.After(patience):
		t.Error("the flood was not read while a pass blocked")
	}
	eventually(t, "hint of the last event", func() bool {
		s := w.Status().Stream
		return s.Connected && time.Since(s.LastByte) > 100*time.Millisecond
	})
	fetches := m.count("/v2/apps")
	close(release)
	eventually(t, "one more pass", func() bool { return len(passes) > fetches })
	if more := m.count("/v2/apps") - fetches; more != 1 {
		t.Errorf("%d more fetches for all the events of the flood, want 1", more)
	}
	if s := <-passes; s.Source != m.url {
		t.Errorf("source %q, want %q", s.Source, m.url)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
