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
	if len(os.Args) == 3 && (os.Args[1] == stage.RoleMarathon || os.Args[1] == roleReader) {
		if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestProcessorTimeOfAChange(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		phase
		want time.Duration
	}{
		"nothing":                      {phase{}, 0},
		"a replacement is two changes": {phase{windows: []window{{changes: 1}, {changes: 2}}, total: 6}, 2},
		"without writing the files":    {phase{windows: []window{{changes: 1}, {changes: 1}}, total: 94, written: filing{cpu: 90}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.perChange(); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhatAChangeReads(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		windows []window
		want    [3]float64
	}{
		"nothing": {nil, [3]float64{}},
		"one reading for each change": {
			[]window{{changes: 1, document: 10, asked: stage.Counts{Apps: 1, AppBytes: 10}}, {changes: 2, document: 10, asked: stage.Counts{Apps: 2, AppBytes: 20}}},
			[3]float64{1, 1, 10},
		},
		"a list counts": {
			[]window{{changes: 1, document: 10, asked: stage.Counts{Lists: 1, ListBytes: 500}}}, [3]float64{0, 50, 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests, read, document := phase{windows: tt.windows}.asked()
			if diff := cmp.Diff(tt.want, [3]float64{requests, read, document}); diff != "" {
				t.Errorf("requests, times read, document (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheMedianStartIsByItsShareOfTheFloor(t *testing.T) {
	t.Parallel()
	r := result{starts: []start{{mlb: 100, haproxy: 10, list: 10}, {mlb: 90, haproxy: 5, list: 5}, {mlb: 10, haproxy: 20, list: 20}}}
	if got := r.median(); got != r.starts[0] {
		t.Errorf("%+v, want the first", got)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	good := func() []result {
		sized := func(apps int, cpu time.Duration) result {
			return result{
				Site: stage.Site{Apps: apps}, body: 100, resident: 300, starts: []start{{mlb: 40, haproxy: 10, list: 10}},
				single:   phase{total: cpu, windows: []window{{changes: 1, document: 100, asked: stage.Counts{Apps: 1, AppBytes: 110}}}},
				together: phase{total: cpu, windows: []window{{changes: 1, document: 100, asked: stage.Counts{Apps: 1, AppBytes: 110}}}},
			}
		}
		return []result{sized(10, time.Millisecond), sized(10000, 2*time.Millisecond)}
	}
	for name, tt := range map[string]struct {
		change func(r []result)
		says   string
	}{
		"at the limits":     {func([]result) {}, ""},
		"too much is read":  {func(r []result) { r[0].single.windows[0].asked.AppBytes = 120 }, "10 apps, one: an app's document is read 1.20 times for a change, want 1.1"},
		"all apps are read": {func(r []result) { r[1].together.lists = 1 }, "10000 apps, many: all of them are read 1 times, want 0"},
		"much of a processor": {
			func(r []result) { r[0].single.total, r[1].single.total = 2e6, 2100*time.Microsecond },
			"10000 apps: a change takes 2.1ms of a processor, want 2ms",
		},
		"more of a processor for more apps": {func(r []result) { r[0].single.total = 9e5 }, "grows from 900µs to 2ms"},
		"much memory":                       {func(r []result) { r[1].resident = 310 }, "10000 apps: 3.10 times the list of apps are resident, want 3"},
		"memory of few apps is no matter":   {func(r []result) { r[0].resident = 9000 }, ""},
		"a slow start":                      {func(r []result) { r[1].starts[0].mlb = 50 }, "10000 apps: a cold start takes 2.50 times its floor, want 2"},
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
		"nothing":                  {nil, true},
		"one size":                 {[]string{"-sizes", "12"}, true},
		"falling sizes":            {[]string{"-sizes", "50,30"}, false},
		"less apps than change":    {[]string{"-sizes", "7"}, false},
		"more apps than ports":     {[]string{"-sizes", "10001"}, false},
		"less changes than rounds": {[]string{"-changes", "3"}, false},
		"no start":                 {[]string{"-starts", "0"}, false},
		"words":                    {[]string{"now"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(tt.args, io.Discard); (err == nil) != tt.good {
				t.Errorf("error %v", err)
			}
		})
	}
}

// All of it with a few apps, a real mlb and a real HAProxy. What is measured of a machine
// that does other things is no matter; what is read is.
func TestFewApps(t *testing.T) {
	t.Parallel()
	var out, said strings.Builder
	err := run(t.Context(), []string{
		"-sizes", "8", "-changes", "8", "-starts", "2", "-read", "2", "-cpu", "1h", "-memory", "1e9", "-start", "1e9", "-haproxy", haproxytest.Binary(t),
	}, strings.NewReader(""), &out, &said)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), said.String())
	}
	var rows []string
	for line := range strings.Lines(out.String()) {
		if f := strings.Fields(line); len(f) > 5 && f[0] == "8" && f[1] == "62" {
			rows = append(rows, strings.Join(f[:5], " "))
		}
	}
	if diff := cmp.Diff([]string{"8 62 8 one 8", "8 62 8 many 20"}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s\n%s", diff, out.String())
	}
}
