package marathon

import (
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"mlb/discovery"
)

// Single apps are read if they are at most as many as fewSingles, or as one of
// manySingles that the last list had. So many are asked for side by side.
const (
	fewSingles    = 8
	manySingles   = 20
	singlesAtOnce = 8
)

// refreshSingle reads the apps of the batch, each by itself. It reports false if that
// does not do: an app is new or gone, or what it says depends on others.
func (w *Watcher) refreshSingle(ctx context.Context, b batch) (done bool, err error) {
	ids := slices.Sorted(maps.Keys(b.apps))
	if !w.deriver.Covers(ids) {
		return false, nil
	}
	answers, err := w.readSingle(ctx, ids)
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.Is(err, ErrNotFound), errors.As(err, new(*StatusError)) && !errors.Is(err, ErrUnauthorized):
		return false, nil // gone, or behind a proxy that knows the list only
	case err != nil:
		w.failed(err)
		return false, err
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
	w.hand(ctx, s, newest, b)
	for i, id := range ids {
		w.digests[id] = answers[i].Digest
	}
	return true, nil
}

// readSingle reads apps side by side.
func (w *Watcher) readSingle(ctx context.Context, ids []string) ([]Answer, error) {
	answers := make([]Answer, len(ids))
	if len(ids) == 1 {
		var err error
		answers[0], err = w.source.App(ctx, ids[0], w.digests[ids[0]])
		return answers, err
	}
	group, bounded := errgroup.WithContext(ctx)
	group.SetLimit(singlesAtOnce)
	for i, id := range ids {
		group.Go(func() (err error) {
			answers[i], err = w.source.App(bounded, id, w.digests[id])
			return err
		})
	}
	return answers, group.Wait()
}
