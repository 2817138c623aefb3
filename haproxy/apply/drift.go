package apply

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
)

// driftInterval is the time between two comparisons of what HAProxy has with what it
// should have.
const driftInterval = time.Minute

// repair compares HAProxy's servers, weights and maps with what the loop has made of
// them, and does the desired text again if somebody else has changed them.
func (l *Loop) repair(ctx context.Context) {
	defer l.drift.Reset(l.cfg.DriftInterval)
	if l.socket == nil || !l.process.Running() || l.command.now != nil || l.desired.Empty() || l.running.Empty() {
		return
	}
	made, before := l.running, len(l.leaving.servers)
	if err := errors.Join(l.reconcile(ctx), l.readMaps(ctx)); err != nil {
		l.running = made
		l.log.Warn("not known whether haproxy has what it should have", zap.Error(err))
		return
	}
	p := haproxy.Diff(l.running, made, l.version)
	found := len(p.Steps) + max(0, len(l.leaving.servers)-before)
	for _, m := range p.Maps {
		found += len(m.Entries)
	}
	if found == 0 {
		return
	}
	l.metrics.drift.Add(float64(found))
	l.log.Warn("haproxy was changed by others, repairing", zap.Int("differences", found), zap.Any("steps", p.Steps), zap.Any("maps", p.Maps))
	l.reapply(ctx)
}
