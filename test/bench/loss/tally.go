package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// errWrong is an answer that should not have come: another app's, or to another
// request.
var errWrong = errors.New("wrong answer")

// stage is a phase of the story at one rate.
type stage struct {
	rate  int
	phase string
}

// cell is what is counted together.
type cell struct {
	stage

	kind string
}

// tally is what was counted: for sessions, requests are exchanges of a message, and
// failed is how many sessions were cut.
type tally struct {
	requests, failed, wrong, doubled int
	latencies                        []time.Duration // of those that succeeded, in any order
}

// add adds another tally.
func (t *tally) add(o tally) {
	t.requests += o.requests
	t.failed += o.failed
	t.wrong += o.wrong
	t.doubled += o.doubled
	t.latencies = append(t.latencies, o.latencies...)
}

// bad reports whether something was counted that must not happen.
func (t *tally) bad() bool { return t.failed > 0 || t.wrong > 0 || t.doubled > 0 }

// percentile is the latency that the share p of all requests did not exceed.
func (t *tally) percentile(p float64) time.Duration {
	if len(t.latencies) == 0 {
		return 0
	}
	slices.Sort(t.latencies)
	return t.latencies[min(int(p*float64(len(t.latencies))), len(t.latencies)-1)]
}

// span is a stage that was played.
type span struct {
	stage

	begin, end time.Time
	observed
}

// mostNotes is how many failures are told in detail.
const mostNotes = 20

// book is where all clients write down how it went, each request in the stage in
// which it began. It is safe for concurrent use.
type book struct {
	mu    sync.Mutex // guards what many clients write
	now   stage
	cells map[cell]*tally
	notes []string // about failures, the first ones
}

// newBook returns an empty book.
func newBook() *book { return &book{cells: map[cell]*tally{}} }

// turn begins a stage.
func (b *book) turn(s stage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = s
}

// stage returns the present stage.
func (b *book) stage() stage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// note counts a request or an exchange of a session that began in a stage.
func (b *book) note(c cell, begin time.Time, took time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tally(c)
	t.requests++
	switch {
	case err == nil:
		t.latencies = append(t.latencies, took)
		return
	case errors.Is(err, errWrong):
		t.wrong++
	default:
		t.failed++
	}
	b.tell("%s %d/s, %s, %s after %s: %v", begin.Format("15:04:05.000"), c.rate, c.phase, c.kind, took.Round(time.Microsecond), err)
}

// double counts a POST that a second task, or one task twice, has carried out.
func (b *book) double(kind, nonce string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally(cell{b.now, kind}).doubled++
	b.tell("%s %d/s, %s, %s: %s was carried out twice", time.Now().Format("15:04:05.000"), b.now.rate, b.now.phase, kind, nonce)
}

// tally returns the tally of a cell. b.mu is held.
func (b *book) tally(c cell) *tally {
	t := b.cells[c]
	if t == nil {
		t = &tally{}
		b.cells[c] = t
	}
	return t
}

// tell keeps what happened, if it is among the first. b.mu is held.
func (b *book) tell(format string, args ...any) {
	if len(b.notes) < mostNotes {
		b.notes = append(b.notes, fmt.Sprintf(format, args...))
	}
}

// sum adds up all cells that are wanted.
func (b *book) sum(wanted func(cell) bool) tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	var t tally
	for c, o := range b.cells {
		if wanted(c) {
			t.add(*o)
		}
	}
	return t
}
