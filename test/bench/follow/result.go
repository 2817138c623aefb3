package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// all is both phases as one.
func (r result) all() phase {
	s, t := r.single, r.together
	return phase{
		windows: slices.Concat(s.windows, t.windows), total: s.total + t.total, took: s.took + t.took, lists: s.lists + t.lists,
		written: filing{s.written.writes + t.written.writes, s.written.bytes + t.written.bytes, s.written.cpu + t.written.cpu},
	}
}

// phases goes through the phases and what they are called.
func (r result) phases() iter.Seq2[string, phase] {
	return func(yield func(string, phase) bool) {
		_ = yield("one", r.single) && yield("many", r.together)
	}
}

// changes is how many endpoints came and went.
func (p phase) changes() (n int) {
	for _, w := range p.windows {
		n += w.changes
	}
	return n
}

// perChange is the processor time of a change without writing the configuration.
func (p phase) perChange() time.Duration {
	return (p.total - p.written.cpu) / time.Duration(max(1, p.changes()))
}

// withAll is the processor time of a change with the configuration.
func (p phase) withAll() time.Duration { return p.total / time.Duration(max(1, p.changes())) }

// asked is how many questions about one app a change led to, read how many times the
// app's document was read for it, document its size.
func (p phase) asked() (requests, read, document float64) {
	var bytes, documents, n float64
	for _, w := range p.windows {
		requests += float64(w.asked.Apps)
		bytes += float64(w.asked.AppBytes + w.asked.ListBytes)
		documents += float64(w.document) * float64(w.changes)
		n += float64(w.changes)
	}
	if n == 0 || documents == 0 {
		return 0, 0, 0
	}
	return requests / n, bytes / documents, documents / n
}

// perMB is the processor time of a written MB.
func (f filing) perMB() time.Duration {
	if f.bytes == 0 {
		return 0
	}
	return time.Duration(float64(f.cpu) / f.bytes * 1e6)
}

// median is the middle one of the starts by their share of the floor.
func (r result) median() start {
	starts := slices.Clone(r.starts)
	slices.SortFunc(starts, func(a, b start) int { return int(a.times()*1e6) - int(b.times()*1e6) })
	return starts[len(starts)/2]
}

// times is how many times its floor a start took.
func (s start) times() float64 { return float64(s.mlb) / float64(max(1, s.floor())) }

// resides is how many times the list of apps mlb has resident.
func (r result) resides() float64 { return float64(r.resident) / float64(max(1, r.body)) }

// table prints what was measured.
func table(out io.Writer, results []result) error {
	var b strings.Builder
	b.WriteString("apps\ttasks\tchecked\tof a time\tchanges\trequests\tdocument\ttimes read\tlists\tCPU\twith all\t\n")
	for _, r := range results {
		for kind, p := range r.phases() {
			requests, read, document := p.asked()
			fmt.Fprintf(&b, "%d\t%d\t%d\t%s\t%d\t%.2f\t%.0f B\t%.2f\t%d\t%s\t%s\t\n", r.Apps, r.Tasks(), r.Checked, kind, p.changes(),
				requests, document, read, p.lists, milliseconds(p.perChange()), milliseconds(p.withAll()))
		}
	}
	b.WriteString("\napps\twrites/min\twrite\tCPU per MB\t\n")
	for _, r := range results {
		p := r.all()
		fmt.Fprintf(&b, "%d\t%.1f\t%s\t%s\t\n", r.Apps, p.written.writes/max(1e-9, p.took.Minutes()),
			megabytes(int(p.written.bytes/max(1, p.written.writes))), milliseconds(p.written.perMB()))
	}
	b.WriteString("\napps\tlist\tresident\ttimes\tpeak\tcold start\tHAProxy\tlist read\ttimes\t\n")
	for _, r := range results {
		s := r.median()
		fmt.Fprintf(&b, "%d\t%s\t%s\t%.2f\t%s\t%s\t%s\t%s\t%.2f\t\n", r.Apps, megabytes(r.body), megabytes(r.resident), r.resides(),
			megabytes(r.peak), milliseconds(s.mlb), milliseconds(s.haproxy), milliseconds(s.list), s.times())
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

func megabytes(n int) string { return strconv.FormatFloat(float64(n)/1e6, 'f', 2, 64) + " MB" }

// verdict is an error that says every limit that is missed.
func verdict(o options, results []result) error {
	var errs []error
	say := func(format string, words ...any) { errs = append(errs, fmt.Errorf(format, words...)) }
	for _, r := range results {
		for kind, p := range r.phases() {
			if _, read, _ := p.asked(); read > o.read {
				say("%d apps, %s: an app's document is read %.2f times for a change, want %g", r.Apps, kind, read, o.read)
			}
			if p.lists > 0 {
				say("%d apps, %s: all of them are read %d times, want 0", r.Apps, kind, p.lists)
			}
		}
	}
	least, most := results[0], results[len(results)-1]
	if got := most.single.perChange(); got > o.cpu {
		say("%d apps: a change takes %s of a processor, want %s", most.Apps, got, o.cpu)
	}
	if from, to := least.single.perChange(), most.single.perChange(); float64(to) > o.growth*float64(from) {
		say("the processor time of a change grows from %s to %s, want at most %g times", from, to, o.growth)
	}
	if got := most.resides(); got > o.memory {
		say("%d apps: %.2f times the list of apps are resident, want %g", most.Apps, got, o.memory)
	}
	if got := most.median().times(); got > o.start {
		say("%d apps: a cold start takes %.2f times its floor, want %g", most.Apps, got, o.start)
	}
	return errors.Join(errs...)
}
