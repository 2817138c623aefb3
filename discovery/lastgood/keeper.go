package lastgood

import (
	"context"
	"time"

	"go.uber.org/zap"

	"mlb/discovery"
)

// rest is how many times as long as a write took the next one waits at least, so that
// writing costs little of a processor however large the state is.
const rest = 400

// Keeper writes the state of one source whenever it has changed. Make it with
// NewKeeper.
type Keeper struct {
	path, terms string
	interval    time.Duration
	state       func() (discovery.LastGood, uint64)
	log         *zap.Logger
	written     uint64
	failing     bool
}

// NewKeeper returns a Keeper that writes the file at most once an interval. state returns
// what there is and a number that grows with each change; zero means nothing. terms
// becomes LastGood.Terms.
func NewKeeper(path, terms string, interval time.Duration, state func() (discovery.LastGood, uint64), log *zap.Logger) *Keeper {
	return &Keeper{path: path, terms: terms, interval: interval, state: state, log: log}
}

// Run removes what a killed process has left, then writes until ctx is done, and what has
// changed since the last time then. It must not be called twice.
func (k *Keeper) Run(ctx context.Context) {
	cleanUp(k.path)
	pause := k.interval
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			k.write()
			return
		case <-timer.C:
		}
		began := time.Now()
		k.write()
		pause = max(k.interval, rest*time.Since(began))
	}
}

// write writes the file if there is something new. A failure is logged when it is the
// first of several; the next write tries again.
func (k *Keeper) write() {
	state, revision := k.state()
	if revision == k.written {
		return
	}
	state.Terms = k.terms
	err := Write(k.path, state)
	switch {
	case err == nil:
		k.written, k.failing = revision, false
	case !k.failing:
		k.failing = true
		k.log.Warn("last good state not written", zap.Error(err))
	}
}
