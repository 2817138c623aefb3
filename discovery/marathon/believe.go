package marathon

import (
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"mlb/discovery"
)

// Triggers of readings that have to do with what is held.
const (
	triggerConfirm = "confirmation"
	triggerRelease = "release"
)

// holds reports whether anything is held.
func (w *Watcher) holds() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.brake.held.Since.IsZero()
}

// readAll reads all apps, from another master if what the last one said is hard to
// believe.
func (w *Watcher) readAll(ctx context.Context) (Answer, error) {
	if w.holds() {
		return w.source.AppsElsewhere(ctx, w.Status().Source)
	}
	return w.source.Apps(ctx)
}

// believed returns what is to be believed of an answer about all apps.
func (w *Watcher) believed(s discovery.Snapshot, answer Answer) discovery.Snapshot {
	late := w.pending.takeReasons() // the answer may know what these are about already
	if w.cfg.Mode == Once {         // an order from outside
		return s
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.brake.held
	s = w.brake.judge(w.catalog.View(), s, answer.Apps, w.reasons.and(w.fresh).and(late), time.Now())
	is := w.brake.held
	switch {
	case !is.Since.IsZero():
		w.fresh = w.fresh.and(late).about(s.Services)
		w.deriver.Remember(s.Services) // an answer that is not believed makes nothing forgotten
	default:
		w.reasons, w.fresh = w.fresh, late
	}
	w.status.Held, w.status.LastList = is, answer.Received
	w.metrics.held.Set(float64(is.Endpoints))
	switch {
	case before.Since.IsZero() && !is.Since.IsZero():
		w.metrics.holds.Inc()
		w.log.Error("answer held back: it lacks much of what is served, and nothing says why",
			zap.String("url", answer.Master), zap.Int("endpoints", is.Endpoints), zap.Int("of_endpoints", is.OfEndpoints),
			zap.Int("apps", is.Apps), zap.Int("of_apps", is.OfApps), zap.Int("confirmations", is.Confirmations))
	case !before.Since.IsZero() && is.Since.IsZero():
		w.log.Warn("nothing is held back any more", zap.String("url", answer.Master), zap.Duration("took", time.Since(before.Since)))
	}
	return s
}

// believedOf returns what is to be believed of answers about single apps: while an answer
// is held, what it lacks stays unless there is a reason, whatever the event was about.
func (w *Watcher) believedOf(s discovery.Snapshot, apps []App) discovery.Snapshot {
	w.fresh = w.fresh.and(w.pending.takeReasons())
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.brake.missing == nil {
		return s
	}
	var was []discovery.Service
	for _, app := range s.Apps {
		was = append(was, discovery.ServicesOf(w.catalog.View(), app)...)
	}
	lost := count(was, s.Services, causes(apps, w.reasons.and(w.fresh))).tasks
	maps.DeleteFunc(lost, func(task string, _ struct{}) bool {
		_, held := w.brake.missing[task]
		return !held
	})
	if len(lost) == 0 {
		return s
	}
	out := discovery.NewSnapshot(withLost(s.Services, was, lost), s.Problems)
	out.Apps = s.Apps
	return out
}
