package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// result is what the rounds of one site gave, in their order.
type result struct {
	site
	rates    []float64
	p50, p99 []time.Duration
	// shares are the rates as shares of those of the smallest site with the same
	// routing in the same round.
	shares []float64
	// cpu is the processor time of HAProxy for all requests.
	cpu      time.Duration
	requests int
}

// cost is the processor time of HAProxy for one request. Unlike the rate it hardly
// depends on what else the machine does.
func (r result) cost() time.Duration { return r.cpu / time.Duration(max(1, r.requests)) }

// measure asks every site in every round, one after the other.
func measure(ctx context.Context, o options, sites []site, progress io.Writer) ([]result, error) {
	results := make([]result, len(sites))
	for i, s := range sites {
		results[i].site = s
		if err := visit(ctx, s); err != nil {
			return nil, fmt.Errorf("%s, %d hosts: %w", results[i].routing, results[i].hosts, err)
		}
	}
	for round := range o.rounds {
		if _, err := fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds); err != nil {
			return nil, err
		}
		base := 0.0
		for i := range results {
			r := &results[i]
			s, err := r.sample(ctx, o)
			if err != nil {
				return nil, fmt.Errorf("%s, %d hosts: %w", r.routing, r.hosts, err)
			}
			if r.hosts == o.sizes[0] {
				base = s.rate()
			}
			r.rates = append(r.rates, s.rate())
			r.p50, r.p99 = append(r.p50, s.percentile(0.5)), append(r.p99, s.percentile(0.99))
			r.shares = append(r.shares, s.rate()/base)
		}
	}
	return results, nil
}

// sample measures a site once.
func (r *result) sample(ctx context.Context, o options) (sample, error) {
	// As long before it is measured: the other sites' turns have driven this one from
	// the processors' caches, and the more hosts it has, the more requests it takes
	// to bring it back. A HAProxy in use takes no turns.
	if _, err := load(ctx, r.site, o.clients, o.round); err != nil {
		return sample{}, err
	}
	pids := r.pids()
	before, err := cpuTime(pids)
	if err != nil {
		return sample{}, err
	}
	s, err := load(ctx, r.site, o.clients, o.round)
	if err != nil {
		return sample{}, err
	}
	after, err := cpuTime(pids)
	if err != nil {
		return sample{}, err
	}
	r.cpu += after - before
	r.requests += len(s.latencies)
	return s, nil
}

// median returns the middle one of the values, or the lower of two.
func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

// table prints medians over the rounds, and the least and most of the shares.
func table(out io.Writer, o options, results []result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "HAProxy %s, %d processors for all, %d connections, medians of %d rounds of %s\n\n",
		version(o.haproxy), runtime.NumCPU(), o.clients, o.rounds, o.round)
	fmt.Fprintf(&b, "routing\thosts\tapps\trequests/s\tp50\tp99\tHAProxy's CPU\tof %d hosts\tleast\tmost\t\n", o.sizes[0])
	for _, r := range results {
		fmt.Fprintf(&b, "%s\t%d\t%d\t%.0f\t%s\t%s\t%s\t%.3f\t%.3f\t%.3f\t\n", r.routing, r.hosts, r.apps, median(r.rates),
			median(r.p50).Round(time.Microsecond), median(r.p99).Round(time.Microsecond), r.cost().Round(time.Microsecond),
			median(r.shares), slices.Min(r.shares), slices.Max(r.shares))
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return w.Flush()
}

// verdict is an error when the largest site with maps is too slow. The one with an
// app for each host is not judged: it is slower by what thousands of backends cost.
func verdict(o options, results []result) error {
	for _, r := range results {
		if r.routing == "maps" && r.apps == o.apps(r.hosts) && r.hosts == o.sizes[len(o.sizes)-1] {
			if share := median(r.shares); share < o.least {
				return fmt.Errorf("%d hosts serve %.3f of the requests of %d, want %g", r.hosts, share, o.sizes[0], o.least)
			}
		}
	}
	return nil
}
