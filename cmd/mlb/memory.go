package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
)

// How much garbage is kept. What mlb knows of a cluster lives as long as the cluster; a
// change makes little garbage, writing the files a lot. With Go's own 100 % twice the
// known would be resident; with much less a small cluster would be collected all the time.
const (
	garbagePercent = 50
	garbageFloor   = 16 << 20
)

// memory gives back to the system what reading a list of all apps took, which is several
// times what is known of them then. Where the user has set GOGC or GOMEMLIMIT it leaves
// the collector alone.
type memory struct {
	read chan struct{} // has a token when a list was read
}

func newMemory() memory { return memory{read: make(chan struct{}, 1)} }

// listRead notes that a list was read. It does not block.
func (m memory) listRead() {
	select {
	case m.read <- struct{}{}:
	default: // it has been noted
	}
}

// run tidies up after each list, until ctx is done.
func (m memory) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.read:
			tidy(os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "")
		}
	}
}

// tidy collects all garbage, gives its memory back and sets how much there may be.
func tidy(set bool) {
	debug.FreeOSMemory()
	if set {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		debug.SetGCPercent(percent(stats.HeapAlloc))
	}
}

// percent is the garbage that may be, as a share of what lives.
func percent(live uint64) int {
	return max(garbagePercent, 100*garbageFloor/max(1, int(min(live, 1<<40))))
}
