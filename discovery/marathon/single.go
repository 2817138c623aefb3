package marathon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"mlb/discovery"
)

// Single apps are read if they are at most as many as fewSingles, or as one of
// manySingles that the last list had. So many are asked for side by side.
const (
	fewSingles    = 8
	manySingles   = 20
	singlesAtOnce = 8
	// singleTimeout bounds the reading of a single app; troubleLife is how long one that
	// could not be read by itself is read with the list.
	singleTimeout = 3 * time.Second
	troubleLife   = time.Minute
)

// few reports whether apps are few enough to be read one by one.
func (w *Watcher) few(apps map[string]struct{}) bool {
	return len(apps) <= max(fewSingles, w.last.count/manySingles)
}

// refreshSingle reads the apps of the batch, each by itself. It reports false if that
// does not do: an app is new or gone, or what it says depends on others.
func (w *Watcher) refreshSingle(ctx context.Context, b batch) (done bool, err error) {
	ids := slices.Sorted(maps.Keys(b.apps))
	if !w.deriver.Covers(ids) || slices.ContainsFunc(ids, w.listOnly) {
		return false, nil
	}
	answers, err := w.readSingle(ctx, ids)
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		w.log.Debug("app not read by itself, reading all", zap.Strings("app", ids), zap.Error(err))
		return false, nil
	}
	newest := answers[0]
	apps := make([]App, 0, len(answers))
	for _, a := range answers {
		apps = append(apps, a.Apps...)
		if a.Received.After(newest.Received) {
			newest.Received = a.Received
		}
	}
	w.answered(newest)
	if len(apps) == 0 {
		w.look(ids, answers)
		return true, nil // nothing new
	}
	services, problems, ok := w.deriver.Update(ctx, apps)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if !ok {
		return false, nil
	}
	s := discovery.NewSnapshot(services, problems)
	for _, a := range apps {
		s.Apps = append(s.Apps, a.ID)
	}
	slices.Sort(s.Apps)
	w.hand(ctx, w.believedOf(s, apps), newest, b)
	w.look(ids, answers)
	for i, id := range ids {
		w.digests[id] = answers[i].Digest
	}
	return true, nil
}

// look keeps what the readings of single apps have shown.
func (w *Watcher) look(ids []string, answers []Answer) {
	for i, id := range ids {
		w.looks[id] = newLook(w.looks[id], answers[i])
	}
}

// seen reports whether the last reading of an app, or of all apps, showed all that is news.
func (w *Watcher) seen(app string, news []told) bool {
	return w.looks[app].has(news) || !w.holds() && w.last.lacks(app, news)
}

// readSingle reads apps side by side. One that cannot be read, unless it is gone, is read
// with the list for a while: its trouble must not cost the others their time.
func (w *Watcher) readSingle(ctx context.Context, ids []string) ([]Answer, error) {
	answers, errs := make([]Answer, len(ids)), make([]error, len(ids))
	read := func(i int) {
		own, cancel := context.WithTimeout(ctx, singleTimeout)
		defer cancel()
		answers[i], errs[i] = w.source.App(own, ids[i], w.digests[ids[i]])
	}
	if len(ids) == 1 {
		read(0)
	} else {
		var group errgroup.Group
		group.SetLimit(singlesAtOnce)
		for i := range ids {
			group.Go(func() error {
				read(i)
				return nil
			})
		}
		_ = group.Wait() // no member returns an error
	}
	for i, err := range errs {
		if err != nil && !errors.Is(err, ErrNotFound) {
			w.troubled[ids[i]] = time.Now()
		}
	}
	return answers, errors.Join(errs...)
}

// listOnly reports whether an app could not be read by itself lately.
func (w *Watcher) listOnly(id string) bool {
	since, troubled := w.troubled[id]
	return troubled && time.Since(since) < troubleLife
}

// calm forgets the trouble with apps that was too long ago to count.
func (w *Watcher) calm() {
	maps.DeleteFunc(w.troubled, func(_ string, since time.Time) bool { return time.Since(since) >= troubleLife })
}
