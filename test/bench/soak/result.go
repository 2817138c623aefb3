package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// result is what a day gave.
type result struct {
	o options
	// operations and troubles are how often each happened.
	operations, troubles map[string]int
	traffic              traffic
	// exact is how long each checkpoint took until HAProxy was exact.
	exact []time.Duration
	// samples were taken at the checkpoints.
	samples []sample
	memory  memory
	// born is when mlb was started last.
	born time.Time
	// workers is the most that HAProxy had at a time, outage the longest time without
	// it after it was killed, took how long all lasted.
	workers      int
	outage, took time.Duration
}

// sample is what mlb uses at rest.
type sample struct {
	at                time.Time
	goroutines, files int
}

func newResult(o options) *result {
	return &result{o: o, operations: map[string]int{}, troubles: map[string]int{}}
}

// memory is what mlb has had in memory, in KiB, second by second.
type memory struct {
	at []time.Time
	kb []int
}

// watch looks once a second until the function that it returns is called.
func (m *memory) watch(ctx context.Context, p *program) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		every(ctx, time.Second, func() {
			if kb, err := resident(p.alive.Load()); err == nil { // not while it is killed
				m.at, m.kb = append(m.at, time.Now()), append(m.kb, kb)
			}
		})
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// resident returns how much memory a process has, in KiB.
func resident(pid int64) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), "\nVmRSS:")
	value, _, named := strings.Cut(rest, "kB")
	if !found || !named {
		return 0, errors.New("no VmRSS")
	}
	return strconv.Atoi(strings.TrimSpace(value))
}

// thirds cuts what was seen of mlb since it was started last into three times of equal
// length and returns the values of each.
func thirds(at []time.Time, values []int, born time.Time) (parts [3][]int) {
	if len(at) == 0 {
		return parts
	}
	length := at[len(at)-1].Sub(born)/3 + 1
	for i, t := range at {
		if part := int(t.Sub(born) / length); t.After(born) && part < len(parts) {
			parts[part] = append(parts[part], values[i])
		}
	}
	return parts
}

// median returns the middle of values, 0 if there are none.
func median[T cmp.Ordered](values []T) (middle T) {
	if len(values) == 0 {
		return middle
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// How much more the median of the last third may be than that of the first. Go's collector
// lets memory swing, and idle connections, of which each has two goroutines, come and go.
const (
	memoryGrowth = 1.25
	memorySlack  = 8 << 10 // KiB
	countSlack   = 16
)

// verdict is an error that names all promises that were broken.
func (r *result) verdict() error {
	var broken []error
	complain := func(format string, words ...any) { broken = append(broken, fmt.Errorf(format, words...)) }
	if r.traffic.Missed > 0 {
		complain("%d of %d requests to the app that nothing is done to failed, the first %s", r.traffic.Missed, r.traffic.Steady, r.traffic.Why)
	}
	if r.workers > r.o.workers {
		complain("%d workers at one time, want at most %d", r.workers, r.o.workers)
	}
	memory := thirds(r.memory.at, r.memory.kb, r.born)
	if first, last := median(memory[0]), median(memory[2]); float64(last) > memoryGrowth*float64(first)+memorySlack {
		complain("memory grew from %d KiB to %d KiB", first, last)
	}
	for name, of := range map[string]func(sample) int{
		"goroutines": func(s sample) int { return s.goroutines }, "open files": func(s sample) int { return s.files },
	} {
		parts := r.parts(of)
		// A short life may have no checkpoint in its first third.
		if first, last := median(parts[0]), median(parts[2]); len(parts[0]) > 0 && last > first+countSlack {
			complain("%s grew from %d to %d", name, first, last)
		}
	}
	return errors.Join(broken...)
}

// parts are the samples of each third.
func (r *result) parts(of func(sample) int) [3][]int {
	var at []time.Time
	var values []int
	for _, s := range r.samples {
		at, values = append(at, s.at), append(values, of(s))
	}
	return thirds(at, values, r.born)
}

// report prints what was seen.
func (r *result) report(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	t := r.traffic
	memory := thirds(r.memory.at, r.memory.kb, r.born)
	goroutines := r.parts(func(s sample) int { return s.goroutines })
	files := r.parts(func(s sample) int { return s.files })
	ms := func(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
	slowest := time.Duration(0)
	if len(r.exact) > 0 {
		slowest = slices.Max(r.exact)
	}
	for _, line := range []string{
		fmt.Sprintf("seed\t%d, %s, generation %s", r.o.seed, r.took.Round(time.Second), r.o.generation),
		"operations\t" + counts(r.operations),
		"troubles\t" + counts(r.troubles),
		fmt.Sprintf("checkpoints\t%d, exact after %s, the slowest %s", len(r.exact), ms(median(r.exact)), ms(slowest)),
		fmt.Sprintf("requests\t%d served, %d refused for want of tasks, %d lost", t.Served, t.Refused, t.Lost),
		fmt.Sprintf("steady app\t%d requests, %d failed; longest outage of a killed HAProxy %s", t.Steady, t.Missed, ms(r.outage)),
		fmt.Sprintf("memory\t%d, %d, %d KiB in thirds of mlb's last life", median(memory[0]), median(memory[1]), median(memory[2])),
		fmt.Sprintf("goroutines\t%d, %d, %d", median(goroutines[0]), median(goroutines[1]), median(goroutines[2])),
		fmt.Sprintf("open files\t%d, %d, %d", median(files[0]), median(files[1]), median(files[2])),
		fmt.Sprintf("workers\tat most %d", r.workers),
	} {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// counts lists how often what happened.
func counts(of map[string]int) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		words = append(words, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(words, ", ")
}
