package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mlb/test/bench/stage"
	"mlb/test/haproxytest"
)

// TestMain lets the program of the tests be the processes that the one it tests starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && (os.Args[1] == stage.RoleMarathon || os.Args[1] == roleBare) {
		if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var values []time.Duration
	for i := range 200 {
		values = append(values, time.Duration(200-i))
	}
	if got := []time.Duration{percentile(values, 0), percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)}; !cmp.Equal(got, []time.Duration{1, 100, 198, 200}) {
		t.Errorf("percentiles %v", got)
	}
	if got := percentile(nil, 0.5); got != 0 {
		t.Errorf("percentile of nothing: %s", got)
	}
}

func TestProcessorTimeOfAChange(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		windows []window
		want    time.Duration
	}{
		"nothing":                           {nil, 0},
		"a restart is two changes":          {[]window{{cpu: 4, changes: 1}, {cpu: 2, changes: 2}}, 2},
		"windows with a write do not count": {[]window{{cpu: 4, changes: 1}, {cpu: 90, changes: 1, written: true}}, 4},
		"unless there are no others":        {[]window{{cpu: 80, changes: 1, written: true}, {cpu: 90, changes: 1, written: true}}, 85},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (figures{windows: tt.windows}).perChange(); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	good := func() []result {
		side := func(d, cpu time.Duration) figures {
			return figures{first: []time.Duration{d, d, d}, last: []time.Duration{d, d, d}, windows: []window{{cpu: cpu, changes: 1}}}
		}
		sized := func(apps int) result {
			return result{Site: stage.Site{Apps: apps}, figures: [sides]figures{
				sideBare: side(time.Millisecond, time.Microsecond), sideMLB: side(2*time.Millisecond, time.Millisecond),
			}}
		}
		return []result{sized(10), sized(10000)}
	}
	for name, tt := range map[string]struct {
		change func(r []result)
		says   string
	}{
		"at the limits": {func([]result) {}, ""},
		"a slow median": {
			func(r []result) { r[0].figures[sideMLB].first[0], r[0].figures[sideMLB].first[1] = 3e6, 3e6 },
			"10 apps, first request: the median is 3.00 times the floor, want 2",
		},
		"a slow one": {
			func(r []result) { r[1].figures[sideMLB].last[2] = 6e6 },
			"10000 apps, last request: the 99th percentile is 6.00 times the floor, want 5",
		},
		"much of a processor": {
			func(r []result) { r[0].figures[sideMLB].windows[0].cpu = 15100 * time.Microsecond },
			"10 apps: a change takes 15.1ms of a processor, want 15ms",
		},
		"more of a processor for more apps": {
			func(r []result) { r[0].figures[sideMLB].windows[0].cpu = 400 * time.Microsecond },
			"the processor time of a change grows from 400µs to 1ms",
		},
		"longer for more apps": {func(r []result) {
			for i := range 3 {
				r[0].figures[sideMLB].first[i] = 9e5
			}
		}, "first request: the median grows from 0.90 to 2.00 times the floor"},
		"a reload": {func(r []result) { r[1].reloads = 1 }, "10000 apps: 1 reloads, want none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := parse(nil, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			results := good()
			tt.change(results)
			err = verdict(o, results)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("verdict %v, want %q", err, tt.says)
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		good bool
	}{
		"nothing":                    {nil, true},
		"one size":                   {[]string{"-sizes", "12"}, true},
		"falling sizes":              {[]string{"-sizes", "50,30"}, false},
		"less apps than change":      {[]string{"-sizes", "7"}, false},
		"more apps than ports":       {[]string{"-sizes", "10001"}, false},
		"less changes than rounds":   {[]string{"-changes", "3", "-rounds", "4"}, false},
		"no rounds":                  {[]string{"-rounds", "0"}, false},
		"nobody who sends a request": {[]string{"-clients", "0"}, false},
		"words":                      {[]string{"now"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(tt.args, io.Discard); (err == nil) != tt.good {
				t.Errorf("error %v", err)
			}
		})
	}
}

// All of it with a few apps, a real mlb and real HAProxies. What is measured on a
// machine that does other things is no matter.
func TestFewApps(t *testing.T) {
	t.Parallel()
	var out, said strings.Builder
	err := run(t.Context(), []string{
		"-sizes", "8", "-changes", "4", "-rounds", "1", "-p50", "1e9", "-p99", "1e9", "-cpu", "1h", "-haproxy", haproxytest.Binary(t),
	}, strings.NewReader(""), &out, &said)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var rows []string
	for line := range strings.Lines(out.String()) {
		if f := strings.Fields(line); len(f) > 6 && f[0] == "8" && f[3] == "request" {
			rows = append(rows, strings.Join(f[:6], " "))
		}
	}
	want := []string{"8 8 first request 4, 4", "8 8 last request 4, 4"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s\n%s", diff, out.String())
	}
}

func TestAWrongPlaceIsAnError(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"-sizes", "8", "-mlb", "/nonexistent/mlb", "-haproxy", "/nonexistent/haproxy"}, strings.NewReader(""), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/haproxy") {
		t.Errorf("error %v", err)
	}
}
