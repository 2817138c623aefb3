package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlb/test/haproxytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		good bool
	}{
		"nothing":     {nil, true},
		"no groups":   {[]string{"-groups", "0"}, true},
		"no apps":     {[]string{"-apps", "0"}, false},
		"no time":     {[]string{"-duration", "0s"}, false},
		"no pause":    {[]string{"-pause", "0s"}, false},
		"less than 0": {[]string{"-clients", "-1"}, false},
		"words":       {[]string{"now"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := parse(tt.args, io.Discard)
			if (err == nil) != tt.good || tt.good && o.seed == 0 {
				t.Errorf("seed %d, error %v", o.seed, err)
			}
		})
	}
}

// All of it for some seconds, with what every machine survives.
func TestAnHour(t *testing.T) {
	t.Parallel()
	var out, said strings.Builder
	err := run(t.Context(), []string{
		"-duration", "8s", "-checkpoint", "4s", "-trouble", "1s", "-apps", "4", "-groups", "1", "-clients", "1", "-seed", "3",
		"-haproxy", haproxytest.Binary(t),
	}, &out, &said)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), said.String())
	}
	for _, want := range []string{"seed          3", "checkpoints   2", "open files", "workers"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, out.String())
		}
	}
}

func TestThirds(t *testing.T) {
	t.Parallel()
	born := time.Unix(1000, 0)
	var at []time.Time
	for _, second := range []int{-5, 1, 9, 11, 19, 21, 30} {
		at = append(at, born.Add(time.Duration(second)*time.Second))
	}
	got := thirds(at, []int{0, 1, 2, 3, 4, 5, 6}, born)
	for i, want := range [][]int{{1, 2}, {3, 4}, {5, 6}} {
		if !slices.Equal(got[i], want) {
			t.Errorf("third %d: %v, want %v", i, got[i], want)
		}
	}
	if got := median(got[2]); got != 6 {
		t.Errorf("median %d, want 6", got)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	born := time.Unix(1000, 0)
	// grown has mlb in three thirds with these numbers.
	grown := func(kb, goroutines, files [3]int) result {
		r := result{o: options{workers: 3}, workers: 3, born: born}
		for i := range kb {
			at := born.Add(time.Duration(1+i) * time.Minute)
			r.memory.at, r.memory.kb = append(r.memory.at, at), append(r.memory.kb, kb[i])
			r.samples = append(r.samples, sample{at, goroutines[i], files[i]})
		}
		return r
	}
	flat := [3]int{30, 45, 40}
	lost := grown(flat, flat, flat)
	lost.traffic = traffic{Steady: 100, Missed: 1, Why: "at noon"}
	crowded := grown(flat, flat, flat)
	crowded.workers = 4
	for name, tt := range map[string]struct {
		result result
		says   string
	}{
		"flat":            {grown([3]int{40_000, 60_000, 50_000}, flat, flat), ""},
		"memory grows":    {grown([3]int{40_000, 50_000, 60_000}, flat, flat), "memory grew from 40000 KiB to 60000 KiB"},
		"goroutines grow": {grown(flat, [3]int{30, 40, 47}, flat), "goroutines grew from 30 to 47"},
		"files grow":      {grown(flat, flat, [3]int{30, 40, 47}), "open files grew from 30 to 47"},
		"a request lost":  {lost, "1 of 100 requests"},
		"workers stay":    {crowded, "4 workers at one time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.result.verdict()
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("verdict %v, want %q", err, tt.says)
			}
		})
	}
}
