package apply_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mlb/test/haproxytest"
)

// clients open one connection after the other to each of some addresses.
type clients struct {
	served, lost atomic.Int64
	last         atomic.Value // the last error
	stop         func()
}

// newClients returns clients that go on until finish, or the test's end.
func newClients(t *testing.T, addrs ...string) *clients {
	t.Helper()
	c := new(clients)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, addr := range addrs {
		all.Go(func() {
			pause := time.NewTicker(5 * time.Millisecond)
			defer pause.Stop()
			for ctx.Err() == nil {
				c.visit(ctx, addr)
				<-pause.C
			}
		})
	}
	c.stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(c.stop)
	return c
}

func (c *clients) visit(ctx context.Context, addr string) {
	s, err := dial(ctx, addr)
	switch {
	case ctx.Err() != nil: // finished meanwhile
	case err != nil:
		c.lost.Add(1)
		c.last.Store(err)
	default:
		c.served.Add(1)
	}
	if err == nil {
		// A reset: the machine remembers nothing of the connection.
		_ = s.Conn.(*net.TCPConn).SetLinger(0) //nolint:forcetypeassert // dialled as TCP
		_ = s.Close()
	}
}

// lossless checks that nobody was turned away up to now.
func (c *clients) lossless(t *testing.T) {
	t.Helper()
	served := c.served.Load()
	haproxytest.Eventually(t, "clients are served", func() bool { return c.lost.Load() > 0 || c.served.Load() > served })
	if lost := c.lost.Load(); lost > 0 {
		t.Errorf("%d connections failed, %d did not, last error %v", lost, c.served.Load(), c.last.Load())
	}
}
