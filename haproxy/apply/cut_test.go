package apply_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// cutter stands between mlb and the master's socket and cuts one of the answers short.
type cutter struct {
	mu    sync.Mutex // guards what follows, which connections share
	seen  int        // connections since the last call of cut
	which int        // the connection to cut; none if negative
	after int64      // how many bytes
	// meanwhile is called when that connection has been made.
	meanwhile func()
}

// cut has the which-th connection from now on cut after some bytes of the answer.
func (c *cutter) cut(which int, after int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.which, c.after = 0, which, after
}

// done reports whether that has happened.
func (c *cutter) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen > c.which
}

// limit counts a connection and returns how many bytes of its answer are to be passed on.
func (c *cutter) limit() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	if c.seen-1 == c.which {
		if c.meanwhile != nil {
			c.meanwhile()
		}
		return c.after
	}
	return 1 << 40
}

// newCutter returns a cutter for a rig whose loop does not run yet.
func newCutter(t *testing.T, r *rig) *cutter {
	t.Helper()
	c := &cutter{which: -1}
	r.between = filepath.Join(r.dir, "between.sock")
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "unix", r.between)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.pass(client, filepath.Join(r.dir, "master.sock")) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return c
}

// pass connects a client with a socket. When the answer has ended, or is cut, both lose
// their connection.
func (c *cutter) pass(client net.Conn, path string) {
	limit := c.limit()
	server, err := net.Dial("unix", path) //nolint:noctx // at once
	if err != nil {
		_ = client.Close()
		return
	}
	var asking sync.WaitGroup
	asking.Go(func() { _, _ = io.Copy(server, client) })
	_, _ = io.CopyN(client, server, limit)
	_, _ = client.Close(), server.Close()
	asking.Wait()
}

// What HAProxy has done is what it shows, not what it has said or failed to say.
func TestAnswersThatAreCutShortMisleadNobody(t *testing.T) {
	t.Parallel()
	a, b, c := target(t, "a"), target(t, "b"), target(t, "c")
	r := newRig(t)
	second := haproxytest.FreeAddr(t)
	cutter := newCutter(t, r)
	sides := [2]state{
		{servers: []string{a, b}, entries: "key a\nmoves a\nold b\n"},
		{servers: []string{a, c}, entries: "key a\nmoves b\nnew b\n"},
	}
	for i := range sides {
		s := &sides[i]
		d := withFile(r.mapped("a", a, b), "hosts.map", s.entries)
		s.config = haproxy.Parse(d.Text() + proxy("s", second, s.servers...)).WithFiles(d.Files)
		s.has = []string{"a/a ready", "b/b ready", "s/" + s.servers[0][:1] + " ready", "s/" + s.servers[1][:1] + " ready"}
	}
	r.run(t, nil)
	r.applyAs(t, apply.MethodStart, sides[0].config)
	traffic := newClients(t, r.bind, second)
	now := 0
	for which, more := 0, true; more; which++ {
		for _, after := range []int64{0, 1, 10, 45, 100, 250, 600} {
			what := fmt.Sprintf("connection %d is cut after %d bytes", which, after)
			now = 1 - now
			cutter.cut(which, after)
			result, err := r.Apply(t.Context(), sides[now].config)
			if err != nil {
				t.Errorf("%s: %+v, %v", what, result, err)
			}
			r.shows(t, what, sides[now])
			more = cutter.done()
			cutter.cut(-1, 0)
			if result, err := r.Apply(t.Context(), sides[now].config); err != nil || result.Method != apply.MethodNone {
				t.Errorf("%s: there is something left to do: %+v, %v", what, result, err)
			}
			if t.Failed() {
				return
			}
		}
	}
	r.reaches(t, "in the end", sides[now])
	traffic.lossless(t)
}
