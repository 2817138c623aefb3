package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// result is all that a run gave.
type result struct {
	played []span
	book   *book
}

// table prints what was counted for each phase and kind over all rates, and then what
// was seen of the balancer in each phase at each rate.
func table(out io.Writer, o options, r result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "HAProxy %s, %d processors for all, %d clients and %d sessions of each kind\n\n",
		version(o.haproxy), runtime.NumCPU(), o.clients, o.sessions)
	b.WriteString("phase\tkind\trequests\tfailed\twrong\ttwice\tp50\tp99\tmax\t\n")
	for _, name := range append([]string{"begin"}, append(names(o.phases()), "end", "all")...) {
		for _, k := range kinds() {
			t := r.book.sum(func(c cell) bool { return c.kind == k.name && (name == "all" || c.phase == name) })
			if (name == "begin" || name == "end") && !t.bad() {
				continue
			}
			fmt.Fprintf(&b, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t\n", name, k.name, t.requests, t.failed, t.wrong, k.twice(t),
				short(t.percentile(0.5)), short(t.percentile(0.99)), short(t.percentile(1)))
		}
	}
	b.WriteString("\nrate\tphase\ttook\trequests/s\tp50\tp99\tmax\treloads\tfailed\tretries\tmoved\tprocesses\t\n")
	for _, s := range r.played {
		t := r.book.sum(func(c cell) bool { return c.stage == s.stage && isRequest(c.kind) })
		fmt.Fprintf(&b, "%d\t%s\t%s\t%.0f\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t\n", s.rate, s.phase, s.took().Round(time.Second/10),
			float64(t.requests)/s.took().Seconds(), short(t.percentile(0.5)), short(t.percentile(0.99)), short(t.percentile(1)),
			s.reloads, s.refused, s.retries, s.moved, s.processes)
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return w.Flush()
}

// took is how long the stage was.
func (s span) took() time.Duration { return s.end.Sub(s.begin) }

// twice shows how many POSTs were carried out twice.
func (k kind) twice(t tally) string {
	if k.method != http.MethodPost {
		return "-"
	}
	return strconv.Itoa(t.doubled)
}

// short rounds a time.
func short(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// names are the names of phases.
func names(all []phase) []string {
	var out []string
	for _, p := range all {
		out = append(out, p.name)
	}
	return out
}

// isRequest reports whether a kind is one of requests.
func isRequest(name string) bool {
	for _, k := range kinds() {
		if k.name == name {
			return k.dial == nil
		}
	}
	return false
}

// verdict is an error that says all that must not have happened.
func verdict(o options, r result) error {
	var errs []error
	for _, k := range kinds() {
		t := r.book.sum(func(c cell) bool { return c.kind == k.name })
		if t.requests == 0 {
			errs = append(errs, fmt.Errorf("%s: nothing was measured", k.name))
		}
		if !t.bad() {
			continue
		}
		what := "failed"
		if k.dial != nil {
			what = "cut"
		}
		errs = append(errs, fmt.Errorf("%s: %d %s, %d wrong, %d carried out twice", k.name, t.failed, what, t.wrong, t.doubled))
	}
	for _, s := range r.played {
		for _, p := range phases() {
			if p.name != s.phase {
				continue
			}
			if s.refused > 0 {
				errs = append(errs, fmt.Errorf("%s at %d requests/s: %d reloads failed", s.phase, s.rate, s.refused))
			}
			if p.endpoints && s.reloads > 0 {
				errs = append(errs, fmt.Errorf("%s at %d requests/s: %d reloads, want none", s.phase, s.rate, s.reloads))
			}
			if p.apps && s.reloads < o.apps {
				errs = append(errs, fmt.Errorf("%s at %d requests/s: %d reloads, want at least %d", s.phase, s.rate, s.reloads, o.apps))
			}
		}
	}
	return errors.Join(errs...)
}

// version returns what HAProxy calls itself.
func version(program string) string {
	out, err := exec.Command(program, "-v").Output() //nolint:noctx // it ends by itself
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	words := strings.Fields(line)
	return words[min(2, len(words)-1)]
}
