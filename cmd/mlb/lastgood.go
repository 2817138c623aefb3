package main

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"mlb/control"
	"mlb/discovery"
	"mlb/discovery/lastgood"
	"mlb/discovery/marathon"
)

// keepInterval is the least time between two writings of the last good state: what is
// lost with less is in Marathon's next answer.
const keepInterval = 10 * time.Second

// lastGood returns what an earlier process knew of the cluster, and whether it derived
// services on the same terms. A file that cannot be read costs its content and nothing else.
func (s *source) lastGood(cfg Config) (state discovery.LastGood, same bool) {
	if cfg.Mode == ModeOnce {
		return discovery.LastGood{}, false
	}
	state, err := lastgood.Read(lastgood.Path(cfg.StateDir, s.cluster.Name))
	switch {
	case err != nil:
		s.log.Warn("last good state not read", zap.Error(err))
		return discovery.LastGood{}, false
	case state.Read.IsZero():
		return discovery.LastGood{}, false
	case state.Terms != s.terms:
		s.log.Info("last good state is of other options, and counts only until the first answer", zap.Time("read", state.Read))
		return state, false
	}
	s.log.Info("last good state", zap.Time("read", state.Read), zap.Int("services", len(state.Services)))
	return state, true
}

// begin makes the watcher, which calls pass, and what keeps its state, with what an earlier
// process knew.
func (s *source) begin(cfg Config, mode marathon.Mode, c *control.Controller, pass marathon.Pass) {
	state, same := s.lastGood(cfg)
	if !state.Read.IsZero() { // HAProxy may have these routes, and other clusters may answer first
		c.Remember(discovery.Snapshot{Services: state.Services, Source: state.Source}.Of(s.cluster.Name))
	}
	if !same {
		state = discovery.LastGood{}
	}
	s.deriver.Remember(state.Services)
	watcher := marathon.WatcherConfig{
		Mode: mode, Cluster: s.cluster.Name, PollInterval: cfg.PollInterval, Resync: cfg.ResyncInterval, Ended: c.Ended,
		MaxRemoval: cfg.MaxRemoval, Confirmations: cfg.RemovalConfirmations, LastGood: state,
		IgnoreHealth: !cfg.HealthCheck,
	}
	s.watcher = marathon.NewWatcher(watcher, s.client, s.stream, s.deriver, pass,
		func(ctx context.Context, err error) { c.Failed(ctx, s.cluster.Name, err) }, s.log, s.metrics)
	s.keeper = lastgood.NewKeeper(lastgood.Path(cfg.StateDir, s.cluster.Name), s.terms, keepInterval, s.watcher.LastGood, s.log)
}

// termsOf says what besides the apps decides about services.
func termsOf(o marathon.Options, pods bool) string {
	o.VerdictCapacity = 0
	terms := fmt.Sprintf("%+v", o)
	if pods {
		terms += " with pods"
	}
	return terms
}
