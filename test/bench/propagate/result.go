package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"mlb/test/bench/stage"
)

// result is what one size gave.
type result struct {
	stage.Site
	figures [sides]figures
	// reloads is how often mlb reloaded HAProxy during the changes, peak the most
	// memory it had, the start included.
	reloads, peak int
}

// measure measures all sizes, one after the other.
func measure(ctx context.Context, o options, progress io.Writer) (results []result, err error) {
	dir, err := os.MkdirTemp("", "mlb-propagate")
	if err != nil {
		return nil, err
	}
	if o.keep {
		_, _ = fmt.Fprintln(progress, "logs are in", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err = os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if o.programs.MLB == "" {
		if o.programs.MLB, err = stage.Build(ctx, dir); err != nil {
			return nil, err
		}
	}
	for _, n := range o.sizes {
		r, err := measureSize(ctx, o, filepath.Join(dir, strconv.Itoa(n)), n, progress)
		if err != nil {
			return nil, fmt.Errorf("%d apps: %w", n, err)
		}
		results = append(results, r)
	}
	return results, nil
}

func measureSize(ctx context.Context, o options, dir string, apps int, progress io.Writer) (r result, err error) {
	a, err := open(ctx, o, dir, apps, progress)
	if a != nil {
		defer func() { err = errors.Join(err, a.close()) }()
	}
	if err != nil {
		return r, err
	}
	r.Site = a.Site
	mlb := a.sides[sideMLB]
	if _, err = mlb.Quiet(ctx, writePause); err != nil {
		return r, err
	}
	before, err := a.reloads(ctx)
	if err != nil {
		return r, err
	}
	end := stage.Now() + o.limit
	// The first changes of each side fill caches and are not counted.
	for _, s := range a.sides {
		if err = a.round(ctx, s, 3, 2, end, &figures{}); err != nil {
			return r, err
		}
	}
	for round := range o.rounds {
		if stage.Now() > end {
			break
		}
		if _, err = fmt.Fprintf(progress, "%d apps, round %d of %d\n", apps, round+1, o.rounds); err != nil {
			return r, err
		}
		pairs := o.changes / o.rounds
		for i, s := range a.sides {
			if err = a.round(ctx, s, round*pairs, pairs, end, &r.figures[i]); err != nil {
				return r, err
			}
		}
	}
	after, err := a.reloads(ctx)
	if err != nil {
		return r, err
	}
	r.reloads = after - before
	r.peak, err = stage.PeakMemory(mlb.Program.PID())
	return r, err
}

// reloads returns how often mlb has tried to reload HAProxy, or had to start it.
func (a *arena) reloads(ctx context.Context) (int, error) {
	text, err := stage.Get(ctx, a.client, "http://"+a.sides[sideMLB].Host+":9090/_mlb/metrics")
	if err != nil {
		return 0, err
	}
	n := 0.0
	for _, name := range []string{"mlb_reloads_total", "mlb_haproxy_restarts_total"} {
		v, err := stage.Sum(string(text), name)
		if err != nil {
			return 0, err
		}
		n += v
	}
	return int(n), nil
}

// percentile is the least of the values that the share p of them does not exceed.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

// perChange is the processor time of a change in the windows during which the
// configuration was not written, or in all when there are no others.
func (f figures) perChange() time.Duration {
	windows := slices.DeleteFunc(slices.Clone(f.windows), func(w window) bool { return w.written })
	if len(windows) == 0 {
		windows = f.windows
	}
	cpu, changes := time.Duration(0), 0
	for _, w := range windows {
		cpu += w.cpu
		changes += w.changes
	}
	return cpu / time.Duration(max(1, changes))
}

// withWrites is the processor time of a change with everything that follows.
func (f figures) withWrites() time.Duration { return f.total / time.Duration(max(1, f.changes)) }

// comparison is one time of both sides, sorted out of their figures.
type comparison struct {
	what      string
	bare, mlb []time.Duration
}

func (r result) comparisons() []comparison {
	b, m := r.figures[sideBare], r.figures[sideMLB]
	return []comparison{{"first request", b.first, m.first}, {"last request", b.last, m.last}}
}

// ratio is how many times the floor mlb takes.
func (c comparison) ratio(p float64) float64 {
	return float64(percentile(c.mlb, p)) / float64(max(1, percentile(c.bare, p)))
}

// table prints the times and what they cost.
func table(out io.Writer, o options, results []result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d processors for all, %d connections. From the event to …\n\n", runtime.NumCPU(), o.clients)
	b.WriteString("apps\tchecked\tthe\tof\tfloor p50\tp99\tmost\tmlb p50\tp99\tmost\ttimes p50\tp99\t\n")
	for _, r := range results {
		for _, c := range r.comparisons() {
			fmt.Fprintf(&b, "%d\t%d\t%s\t%d, %d", r.Apps, r.Checked, c.what, len(c.bare), len(c.mlb))
			for _, values := range [][]time.Duration{c.bare, c.mlb} {
				for _, p := range []float64{0.5, 0.99, 1} {
					fmt.Fprintf(&b, "\t%s", milliseconds(percentile(values, p)))
				}
			}
			fmt.Fprintf(&b, "\t%.2f\t%.2f\t\n", c.ratio(0.5), c.ratio(0.99))
		}
	}
	b.WriteString("\napps\tturn\treloads\tmlb's CPU\twith writes\twrites\tfloor's CPU\tmlb's memory\t\n")
	for _, r := range results {
		m := r.figures[sideMLB]
		fmt.Fprintf(&b, "%d\t%s\t%d\t%s\t%s\t%d\t%s\t%d MB\t\n", r.Apps, milliseconds(percentile(m.turns, 0.5)), r.reloads,
			milliseconds(m.perChange()), milliseconds(m.withWrites()), m.writes,
			milliseconds(r.figures[sideBare].perChange()), r.peak>>20)
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return w.Flush()
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds()*1000, 'f', 2, 64) + " ms"
}

// verdict is an error that says everything in which mlb is too slow.
func verdict(o options, results []result) error {
	var errs []error
	say := func(format string, words ...any) { errs = append(errs, fmt.Errorf(format, words...)) }
	for _, r := range results {
		for _, c := range r.comparisons() {
			if got := c.ratio(0.5); got > o.p50 {
				say("%d apps, %s: the median is %.2f times the floor, want %g", r.Apps, c.what, got, o.p50)
			}
			if got := c.ratio(0.99); got > o.p99 {
				say("%d apps, %s: the 99th percentile is %.2f times the floor, want %g", r.Apps, c.what, got, o.p99)
			}
		}
		if got := r.figures[sideMLB].perChange(); got > o.cpu {
			say("%d apps: a change takes %s of a processor, want %s", r.Apps, got, o.cpu)
		}
		if r.reloads != 0 {
			say("%d apps: %d reloads, want none", r.Apps, r.reloads)
		}
	}
	least, most := results[0], results[len(results)-1]
	for i, c := range most.comparisons() {
		// As multiples of the floor, so that what else the machine did is no matter.
		if from, to := least.comparisons()[i].ratio(0.5), c.ratio(0.5); to > o.growth*from {
			say("%s: the median grows from %.2f to %.2f times the floor, want at most %g times as much", c.what, from, to, o.growth)
		}
	}
	from, to := least.figures[sideMLB].perChange(), most.figures[sideMLB].perChange()
	if float64(to) > o.growth*float64(from) {
		say("the processor time of a change grows from %s to %s, want at most %g times", from, to, o.growth)
	}
	return errors.Join(errs...)
}
