package main

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/lastgood"
)

// A cluster that cannot be reached keeps its routes, with which options ever mlb is
// started; what an answer may remove is not measured by services of other options.
func TestAStateOfOtherOptionsCountsUntilTheFirstAnswer(t *testing.T) {
	t.Parallel()
	cfg := Config{StateDir: t.TempDir()}
	written := discovery.LastGood{Read: time.Unix(1, 0), Terms: "a", Services: []discovery.Service{{App: "/a"}}}
	if err := lastgood.Write(lastgood.Path(cfg.StateDir, "east"), written); err != nil {
		t.Fatal(err)
	}
	for terms, want := range map[string]bool{"a": true, "b": false} {
		s := &source{cluster: Cluster{Name: "east"}, terms: terms, log: zap.NewNop()}
		if state, same := s.lastGood(cfg); len(state.Services) != 1 || same != want {
			t.Errorf("on terms %s: %+v, the same: %v", terms, state, same)
		}
	}
}
