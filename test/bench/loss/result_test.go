package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPercentile(t *testing.T) {
	t.Parallel()
	var odd tally
	for i := range 100 {
		odd.latencies = append(odd.latencies, time.Duration(100-i))
	}
	if got := []time.Duration{odd.percentile(0), odd.percentile(0.5), odd.percentile(0.99), odd.percentile(1)}; !cmp.Equal(got, []time.Duration{1, 51, 100, 100}) {
		t.Errorf("percentiles %v", got)
	}
	if got := (&tally{}).percentile(0.5); got != 0 {
		t.Errorf("percentile of nothing: %s", got)
	}
}

// Each request counts once, in the cell in which it began.
func TestBookCounts(t *testing.T) {
	t.Parallel()
	b := newBook()
	up, down := stage{200, "scale up"}, stage{200, "scale down"}
	b.turn(down)
	b.note(cell{up, "GET, new"}, time.Now(), time.Millisecond, nil)
	b.note(cell{up, "GET, new"}, time.Now(), time.Millisecond, io.EOF)
	b.note(cell{up, "GET, new"}, time.Now(), time.Millisecond, fmt.Errorf("%w: of another app", errWrong))
	b.double(kindOf("3.1.17"), "3.1.17")
	want := map[cell]tally{
		{up, "GET, new"}:    {requests: 3, failed: 1, wrong: 1, latencies: []time.Duration{time.Millisecond}},
		{down, "POST, new"}: {doubled: 1},
	}
	got := map[cell]tally{}
	for c, n := range b.cells {
		got[c] = *n
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tally{}, cell{}, stage{})); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if len(b.notes) != 3 {
		t.Errorf("notes %q, want 3", b.notes)
	}
}

func TestLedgerTellsOfPostsThatAreCarriedOutTwice(t *testing.T) {
	t.Parallel()
	var told []string
	l := newLedger(func(nonce string) { told = append(told, nonce) })
	for _, nonce := range []string{"2.0.1", "2.0.2", "2.0.1"} {
		l.post(nonce)
	}
	if diff := cmp.Diff([]string{"2.0.1"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// A new worker counts from 0, and the reload that brought it is seen.
func TestCountersBeginAnewWithAReload(t *testing.T) {
	t.Parallel()
	var o observed
	at := []counters{
		{reloads: 1, retries: 0, moved: 10},
		{reloads: 1, retries: 2, moved: 14},
		{reloads: 2, retries: 3, moved: 20},
		{reloads: 4, refused: 1, retries: 1, moved: 1},
	}
	for i := 1; i < len(at); i++ {
		o.add(at[i-1], at[i])
	}
	if diff := cmp.Diff(observed{reloads: 3, refused: 1, retries: 6, moved: 25}, o, cmp.AllowUnexported(observed{})); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

func TestCountReadsMetrics(t *testing.T) {
	t.Parallel()
	got, err := count("# HELP mlb_reloads_total Reloads.\nmlb_reloads_total{result=\"ok\"} 7\nmlb_reloads_total{result=\"failed\"} 2\n",
		"haproxy_backend_retry_warnings_total{proxy=\"a\"} 1\nhaproxy_backend_retry_warnings_total{proxy=\"b\"} 3\n"+
			"haproxy_backend_redispatch_warnings_total{proxy=\"a\"} 5\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(counters{reloads: 7, refused: 2, retries: 4, moved: 5}, got, cmp.AllowUnexported(counters{})); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// perfect is what a run without losses gives.
func perfect(o options) result {
	r := result{book: newBook()}
	for _, rate := range o.rates {
		for _, p := range phases() {
			s := span{stage: stage{rate, p.name}, end: time.Time{}.Add(time.Second)}
			if !p.endpoints {
				s.reloads = o.apps
			}
			r.played = append(r.played, s)
			for _, k := range kinds() {
				r.book.note(cell{s.stage, k.name}, time.Time{}, time.Millisecond, nil)
			}
		}
	}
	return r
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	o := options{rates: []int{200, 2000}, apps: 50}
	at := stage{2000, "roll 2"}
	played := func(r *result, name string) *span {
		for i := range r.played {
			if r.played[i].stage == (stage{2000, name}) {
				return &r.played[i]
			}
		}
		t.Fatalf("no phase %s", name)
		return nil
	}
	for name, tt := range map[string]struct {
		spoil func(*result)
		want  string
	}{
		"nothing was lost": {func(*result) {}, ""},
		"one request failed": {func(r *result) {
			r.book.note(cell{at, "POST, kept"}, time.Now(), 0, io.EOF)
		}, "POST, kept: 1 failed, 0 wrong, 0 carried out twice"},
		"one session was cut": {func(r *result) {
			r.book.note(cell{at, "TCP, whole run"}, time.Now(), 0, io.EOF)
		}, "TCP, whole run: 1 cut, 0 wrong, 0 carried out twice"},
		"one answer was wrong": {func(r *result) {
			r.book.note(cell{at, "GET, new"}, time.Now(), 0, errWrong)
		}, "GET, new: 0 failed, 1 wrong, 0 carried out twice"},
		"a POST was carried out twice": {func(r *result) {
			r.book.turn(at)
			r.book.double("POST, new", "3.0.0")
		}, "POST, new: 0 failed, 0 wrong, 1 carried out twice"},
		"a failure between the phases counts": {func(r *result) {
			r.book.note(cell{stage{2000, "end"}, "GET, kept"}, time.Now(), 0, io.EOF)
		}, "GET, kept: 1 failed, 0 wrong, 0 carried out twice"},
		"a task's change was a reload":   {func(r *result) { played(r, "scale down").reloads = 1 }, "scale down at 2000 requests/s: 1 reloads, want none"},
		"a new app was no reload":        {func(r *result) { played(r, "new apps").reloads = 49 }, "new apps at 2000 requests/s: 49 reloads, want at least 50"},
		"more reloads than new apps":     {func(r *result) { played(r, "new apps").reloads = 51 }, ""},
		"a reload failed":                {func(r *result) { played(r, "apps go").refused = 1 }, "apps go at 2000 requests/s: 1 reloads failed"},
		"a kind of request was not sent": {func(r *result) { r.drop("WebSocket, 4 s") }, "WebSocket, 4 s: nothing was measured"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := perfect(o)
			tt.spoil(&r)
			got := ""
			if err := verdict(o, r); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// drop takes everything of a kind out of the book.
func (r *result) drop(kind string) {
	for c := range r.book.cells {
		if c.kind == kind {
			delete(r.book.cells, c)
		}
	}
}

func TestTableShowsEachKindAndPhase(t *testing.T) {
	t.Parallel()
	o := options{rates: []int{200}, apps: 50, haproxy: "no-such-program", clients: 16, sessions: 10}
	r := perfect(o)
	r.book.note(cell{stage{200, "end"}, "GET, kept"}, time.Now(), 0, io.EOF)
	var b bytes.Buffer
	if err := table(&b, o, r); err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for line := range strings.Lines(b.String()) {
		rows[strings.Join(strings.Fields(line), " ")]++
	}
	for _, want := range []string{
		"roll 2 POST, kept 1 0 0 0 1ms 1ms 1ms",
		"roll 2 TCP, 4 s 1 0 0 - 1ms 1ms 1ms",
		"end GET, kept 1 1 0 - 0s 0s 0s",
		"all GET, kept 8 1 0 - 1ms 1ms 1ms",
		"200 new apps 1s 4 1ms 1ms 1ms 50 0 0 0 0",
		"200 roll 1 1s 4 1ms 1ms 1ms 0 0 0 0 0",
	} {
		if rows[want] != 1 {
			t.Errorf("no row %q in\n%s", want, b.String())
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for line, right := range map[string]bool{
		"":                           true,
		"-rates 200 -apps 1":         true,
		"-haproxy a,b -short":        true,
		"-rates 200,x":               false,
		"-rates 0":                   false,
		"-tasks 2":                   false,
		"-apps 0":                    false,
		"-clients 0":                 false,
		"-sessions 0":                false,
		"word":                       false,
		"-only nothing":              false,
		"-only scale:up,roll:1":      true,
		"-order -1s":                 false,
		"-unknown":                   false,
		"-line retries:3 -order 0s ": true,
	} {
		var words []string
		for w := range strings.FieldsSeq(line) {
			words = append(words, strings.ReplaceAll(w, ":", " "))
		}
		if _, _, err := parse(words, io.Discard); (err == nil) != right {
			t.Errorf("%q: %v", line, err)
		}
	}
	o, programs, err := parse([]string{"-haproxy", "a,b"}, io.Discard)
	if err != nil || !cmp.Equal(programs, []string{"a", "b"}) || !cmp.Equal(o.rates, []int{200, 600, 2000}) || o.apps != 50 || o.tasks != 20 {
		t.Errorf("programs %q, options %+v, %v", programs, o, err)
	}
	if _, _, err = parse([]string{"-h"}, io.Discard); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("help: %v", err)
	}
}
