package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// rosterLimit bounds the wait for the master's list, which it gives in
	// milliseconds; 2.6 refuses connections for a while during a reload.
	rosterLimit = time.Second
	// workerLimit bounds the wait for one worker's answer.
	workerLimit = 500 * time.Millisecond
	// silencePerWorker and silenceInAll bound the questions that get no answer. Each
	// takes one of the master's ten connections for as long as that worker lives and
	// is silent, even when the asker has gone; without any left the master serves
	// nobody (seen on 2.6, 3.0 and 3.2).
	silencePerWorker, silenceInAll = 2, 4
)

// WorkerReport is one worker as a [Roster] tells of it.
type WorkerReport struct {
	Worker
	// Old says that the worker takes no new connections and ends with its last one.
	Old bool
	// Connections is the number of its connections, if Answered.
	Connections int
	// Answered says that the worker was asked and has answered.
	Answered bool
}

// Roster tells of HAProxy's workers, old ones included, for people and for metrics. It
// asks HAProxy itself, beside what others do over the same socket, and holds up none of
// them. It is a prometheus.Collector. All methods are safe for concurrent use.
type Roster struct {
	socket *Socket
	age    *prometheus.Desc
	count  *prometheus.Desc

	// turn holds a token while somebody asks workers, and guards silent. A mutex would
	// not let a waiting caller go when its context ends.
	turn chan struct{}
	// silent counts the questions without an answer, by process id of a worker that
	// is still there.
	silent map[int]int
}

// NewRoster returns the roster of the HAProxy whose master is at s; nil, or a stats
// socket, for one without such a socket.
func NewRoster(s *Socket) *Roster {
	return &Roster{
		socket: s,
		count: prometheus.NewDesc("mlb_haproxy_workers",
			"Worker processes of HAProxy: current ones, and old ones that finish their connections.", []string{"kind"}, nil),
		age: prometheus.NewDesc("mlb_haproxy_old_worker_age_seconds",
			"Time since the start of the oldest worker that finishes its connections; 0 if there is none.", nil, nil),
		turn: make(chan struct{}, 1), silent: map[int]int{},
	}
}

// Read returns the workers in the order of the master's list, each with what it answers. One
// that does not answer is there without connections, and so are all during a reload.
// It blocks for a few seconds at most. The error wraps [ErrNoMaster] when there is no
// master to be asked.
func (r *Roster) Read(ctx context.Context) ([]WorkerReport, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("workers: %w", ctx.Err())
	}
	processes, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	var reports []WorkerReport
	for _, w := range processes.Workers {
		reports = append(reports, WorkerReport{Worker: w})
	}
	for _, w := range processes.OldWorkers {
		reports = append(reports, WorkerReport{Worker: w, Old: true})
	}
	r.forget(reports)
	for i := range reports {
		r.ask(ctx, &reports[i])
	}
	return reports, nil
}

// list asks the master. One that executes itself anew is given a moment.
func (r *Roster) list(ctx context.Context) (Processes, error) {
	if r.socket == nil {
		return Processes{}, fmt.Errorf("workers: %w", ErrNoMaster)
	}
	ctx, cancel := context.WithTimeout(ctx, rosterLimit)
	defer cancel()
	again := time.NewTicker(4 * reloadPoll)
	defer again.Stop()
	for {
		processes, err := r.socket.Processes(ctx)
		if err == nil || errors.Is(err, ErrNoMaster) {
			return processes, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return Processes{}, fmt.Errorf("workers: %w", err)
		}
	}
}

// forget drops what is noted about workers that have ended.
func (r *Roster) forget(present []WorkerReport) {
	silent := map[int]int{}
	for _, w := range present {
		if n := r.silent[w.PID]; n > 0 {
			silent[w.PID] = n
		}
	}
	r.silent = silent
}

// ask completes a report with what the worker says. A caller that goes does not cut
// the question short, as that would leave a connection behind.
func (r *Roster) ask(ctx context.Context, w *WorkerReport) {
	inAll := 0
	for _, n := range r.silent {
		inAll += n
	}
	// From 3.1 on a worker is listed before it can answer.
	reloading := len(r.socket.reload) > 0
	if reloading || inAll >= silenceInAll || r.silent[w.PID] >= silencePerWorker || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workerLimit)
	defer cancel()
	info, err := r.socket.OldWorkerInfo(ctx, w.PID)
	switch {
	case err == nil && info.PID == w.PID:
		// After a failed reload some versions list the serving worker among the old.
		w.Connections, w.Old, w.Answered = info.Connections, info.Stopping, true
	case ctx.Err() != nil:
		r.silent[w.PID]++
	}
}

// Describe tells of the metrics.
func (r *Roster) Describe(to chan<- *prometheus.Desc) {
	to <- r.count
	to <- r.age
}

// Collect asks the master and gives the metrics; none if it does not answer.
func (r *Roster) Collect(to chan<- prometheus.Metric) {
	processes, err := r.list(context.Background())
	if err != nil {
		return
	}
	var oldest time.Duration
	for _, w := range processes.OldWorkers {
		oldest = max(oldest, w.Age)
	}
	to <- prometheus.MustNewConstMetric(r.count, prometheus.GaugeValue, float64(len(processes.Workers)), "current")
	to <- prometheus.MustNewConstMetric(r.count, prometheus.GaugeValue, float64(len(processes.OldWorkers)), "old")
	to <- prometheus.MustNewConstMetric(r.age, prometheus.GaugeValue, oldest.Seconds())
}
