package balancer

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mlb/test/haproxytest"
)

// Processes returns the processes that have the balancer's folder on their command
// line or work below it: mlb, HAProxy's master and its workers, and databases of mlb
// demo.
func (b *Balancer) Processes() []int {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var pids []int
	for _, d := range dirs {
		line, err := os.ReadFile(filepath.Join(d, "cmdline"))
		pid, numErr := strconv.Atoi(filepath.Base(d))
		if err != nil || numErr != nil {
			continue // it has ended
		}
		works, _ := os.Readlink(filepath.Join(d, "cwd")) // empty when it may not be seen
		if (bytes.Contains(line, []byte(b.Dir+"/")) || strings.HasPrefix(works, b.Dir)) && haproxytest.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// PIDs returns HAProxy's processes as the statistics port tells them, the master
// first.
func (b *Balancer) PIDs(tb testing.TB) []int {
	tb.Helper()
	text, err := b.Ask(tb.Context(), "/_haproxy_getpids")
	if err != nil {
		tb.Fatal(err)
	}
	var pids []int
	for word := range strings.FieldsSeq(text) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			tb.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// Eventually waits until check returns nil, at most for [Deadline]. The last error
// is what the test fails with.
func Eventually(tb testing.TB, what string, check func() error) {
	tb.Helper()
	timeout := time.NewTimer(Deadline)
	defer timeout.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout.C:
			tb.Fatalf("waited %s for: %s: %v", Deadline, what, err)
		}
	}
}
