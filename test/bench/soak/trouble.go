package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/storm"
)

// trouble is something that goes wrong, and is put right later.
type trouble struct {
	name string
	// early says that it happens in the first third only.
	early bool
	// begin lets it go wrong and returns what puts it right; nil if nothing has to.
	begin func(ctx context.Context, l *life) (heal func(ctx context.Context) error, err error)
}

// track is a sequence of troubles, one at a time.
type track struct {
	kinds []trouble
	heal  func(ctx context.Context) error
	due   time.Time
}

// tick begins or ends a trouble when it is time.
func (t *track) tick(ctx context.Context, l *life) error {
	now := time.Now()
	switch {
	case t.due.IsZero():
		t.due = now.Add(l.upTo(2 * l.o.trouble))
	case now.Before(t.due):
	case t.heal != nil:
		return t.end(ctx, l)
	default:
		kind := t.kinds[l.random.IntN(len(t.kinds))]
		if kind.early && time.Since(l.begin) > l.o.duration/3 {
			return nil
		}
		heal, err := kind.begin(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		l.result.troubles[kind.name]++
		l.say("%s", kind.name)
		t.heal, t.due = heal, now.Add(l.upTo(2*l.o.trouble))
	}
	return nil
}

// end puts right what went wrong.
func (t *track) end(ctx context.Context, l *life) error {
	heal := t.heal
	t.heal, t.due = nil, time.Now().Add(l.upTo(2*l.o.trouble))
	if heal == nil {
		return nil
	}
	return heal(ctx)
}

// upTo returns a random time.
func (l *life) upTo(most time.Duration) time.Duration {
	return time.Duration(l.random.Int64N(int64(most)))
}

// anyMaster is one master or, as often, all.
func (l *life) anyMaster() int {
	if l.random.IntN(2) == 0 {
		return marathonsim.AllMasters
	}
	return l.random.IntN(len(l.program.masters))
}

// fault is a fault of the simulator.
func fault(name string, f marathonsim.Fault) trouble {
	return trouble{name: name, begin: func(_ context.Context, l *life) (func(context.Context) error, error) {
		master := l.anyMaster()
		if f.Kind == marathonsim.FaultNoApps { // all masters that say so for long are believed
			master = l.random.IntN(len(l.program.masters))
		}
		return l.spoil(master, f)
	}}
}

func (l *life) spoil(master int, f marathonsim.Fault) (func(context.Context) error, error) {
	l.site.cluster.SetFault(master, f)
	return func(context.Context) error {
		l.site.cluster.SetFault(master, marathonsim.Fault{})
		return nil
	}, nil
}

// marathonTroubles are those of Marathon and of the way to it.
func marathonTroubles() []trouble {
	return []trouble{
		{name: "master stopped", begin: func(_ context.Context, l *life) (func(context.Context) error, error) {
			return l.stopMasters(l.random.IntN(len(l.program.masters)))
		}},
		{name: "all masters stopped", begin: func(_ context.Context, l *life) (func(context.Context) error, error) {
			return l.stopMasters(0, 1, 2)
		}},
		{name: "leader changed", begin: func(_ context.Context, l *life) (func(context.Context) error, error) {
			if l.site.cluster.Leader() < 0 {
				return nil, nil
			}
			return nil, l.site.cluster.ChangeLeader()
		}},
		{name: "streams cut", begin: func(_ context.Context, l *life) (func(context.Context) error, error) {
			l.site.cluster.DropStreams()
			return nil, nil
		}},
		{name: "agent lost", begin: func(_ context.Context, l *life) (func(context.Context) error, error) {
			all := agents()
			name := all[l.random.IntN(len(all))].Name
			return func(context.Context) error { return l.site.cluster.ReturnAgent(name) }, l.site.cluster.LoseAgent(name)
		}},
		fault("hang", marathonsim.Fault{Kind: marathonsim.FaultHang}),
		fault("delay", marathonsim.Fault{Kind: marathonsim.FaultDelay, Delay: time.Second}),
		fault("reset", marathonsim.Fault{Kind: marathonsim.FaultReset}),
		fault("truncated answers", marathonsim.Fault{Kind: marathonsim.FaultTruncate, Path: "/v2/apps"}),
		fault("empty answers", marathonsim.Fault{Kind: marathonsim.FaultEmpty, Path: "/v2/apps"}),
		fault("no apps", marathonsim.Fault{Kind: marathonsim.FaultNoApps}),
		fault("status 503", marathonsim.Fault{Kind: marathonsim.FaultStatus, Status: 503}),
		fault("silent streams", marathonsim.Fault{Kind: marathonsim.FaultSilentStream}),
		fault("mute streams", marathonsim.Fault{Kind: marathonsim.FaultMuteStream}),
		fault("split streams", marathonsim.Fault{Kind: marathonsim.FaultSplitStream}),
		fault("closed streams", marathonsim.Fault{Kind: marathonsim.FaultCloseStream}),
	}
}

// stopMasters stops masters and returns what starts them again.
func (l *life) stopMasters(masters ...int) (func(context.Context) error, error) {
	for _, i := range masters {
		if err := l.site.cluster.StopMaster(i); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		for _, i := range masters {
			if err := l.site.cluster.StartMaster(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// hostTroubles are those of the machine that runs mlb and HAProxy.
func hostTroubles() []trouble {
	return []trouble{
		{name: "haproxy's master killed", begin: func(ctx context.Context, l *life) (func(context.Context) error, error) {
			return nil, l.killHAProxy(ctx, 0)
		}},
		{name: "haproxy's worker killed", begin: func(ctx context.Context, l *life) (func(context.Context) error, error) {
			return nil, l.killHAProxy(ctx, 1)
		}},
		{name: "reload by signal", begin: func(_ context.Context, l *life) (func(context.Context) error, error) {
			return nil, l.program.cmd.Process.Signal(syscall.SIGUSR1)
		}},
		{name: "refresh by signal", begin: func(_ context.Context, l *life) (func(context.Context) error, error) {
			return nil, l.program.cmd.Process.Signal(syscall.SIGHUP)
		}},
		{name: "mlb killed", early: true, begin: killMLB},
	}
}

// killMLB kills mlb. It is early: what is looked at of its memory must be old enough to
// have grown.
func killMLB(_ context.Context, l *life) (func(context.Context) error, error) {
	return func(ctx context.Context) error {
		l.result.born = time.Now()
		return l.program.start(ctx)
	}, l.program.kill()
}

// killHAProxy kills one of HAProxy's processes, by its place in the master's list, and
// waits until the steady app is served again.
func (l *life) killHAProxy(ctx context.Context, place int) error {
	ctx, cancel := context.WithTimeout(ctx, l.o.patience)
	defer cancel()
	pid := 0
	if err := storm.Eventually(ctx, func() error { // a master that loads its configuration answers later
		all, err := l.target.Master.Processes(ctx)
		if err != nil {
			return err
		}
		if len(all.Workers) == 0 {
			return errors.New("haproxy has no worker")
		}
		pid = all.PIDs()[place]
		return nil
	}); err != nil {
		return err
	}
	l.clients.serving.Lock()
	defer l.clients.serving.Unlock()
	killed := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	if err := storm.Eventually(ctx, func() error { return gone(pid) }); err != nil {
		return err
	}
	err := storm.Eventually(ctx, func() error {
		a, err := l.program.visit(ctx, l.site.host(steady), "/")
		if err == nil && a.task == "" {
			err = fmt.Errorf("status %d of no task", a.status)
		}
		return err
	})
	took := time.Since(killed)
	l.result.outage = max(l.result.outage, took)
	l.say("served again %s after the kill", took.Round(10*time.Millisecond))
	return err
}
