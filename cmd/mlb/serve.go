package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"mlb/admin"
	"mlb/control"
	"mlb/discovery"
	"mlb/discovery/marathon"
	"mlb/haproxy/apply"
	"mlb/haproxy/render"
	"mlb/haproxy/runtime"
)

// serve keeps HAProxy in step until a signal ends it (modes sse and poll), or for
// one pass (mode once). An orderly end is nil.
func serve(ctx context.Context, cfg Config, stdout, stderr io.Writer) error {
	endSyslogd, syslogdErr := startSyslogd(cfg.SyslogdSocket, stdout)
	defer endSyslogd()
	log, closeLog := openLog(cfg.Log, stderr)
	defer func() { _ = closeLog() }()
	if syslogdErr != nil {
		log.Warn("log of haproxy is not received", zap.Error(syslogdErr))
	}
	log.Info("starting", zap.String("version", Version()), zap.Object("config", cfg))
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	ctx, stopSignals := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stopSignals()
	b, err := newBalancer(ctx, cfg, log)
	switch {
	case err != nil && ctx.Err() != nil: // told to end before anything was started
		return nil
	case err != nil:
		return err
	}
	return b.run(ctx)
}

// balancer is one running instance: everything wired together.
type balancer struct {
	cfg        Config
	log        *zap.Logger
	sources    *sources
	controller *control.Controller
	loop       *apply.Loop
	process    processes
	roster     *runtime.Roster
	admin      *admin.Server
	memory     memory
}

func newBalancer(ctx context.Context, cfg Config, log *zap.Logger) (*balancer, error) {
	features, err := probe(ctx, cfg)
	if err != nil {
		return nil, err
	}
	frame, err := newFrame(cfg, features, log)
	if err != nil {
		return nil, err
	}
	overrides, err := newOverrides(cfg, frame.Version, log)
	if err != nil {
		return nil, err
	}
	renderer, err := render.New(frame, overrides)
	if err != nil {
		return nil, usageError(err)
	}
	if renderer.CustomHead() {
		log.Warn("custom HEAD: haproxy runs as it says, and the paths of mlb on the statistics port need it or --admin-listen")
	}
	for _, dir := range []string{cfg.HAProxyDir(), cfg.StateDir, cfg.SocketDir, cfg.ServerStateDir} {
		if err = os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // haproxy's worker has to enter it.
			return nil, fmt.Errorf("make folder: %w", err)
		}
	}
	if err = writeCertificates(cfg.Certificates); err != nil {
		return nil, err
	}
	if err = setSysctls(sysctlRoot, cfg.Sysctls, !cfg.SysctlsLenient, log); err != nil {
		return nil, err
	}
	reg := newRegistry()
	b := &balancer{cfg: cfg, log: log, memory: newMemory()}
	if b.sources, err = newSources(ctx, cfg, reg, log); err != nil {
		return nil, err
	}
	b.loop, b.process, b.roster = newLoop(ctx, cfg, features, func() { b.sources.refresh("retry") }, reg, log)
	b.controller = control.New(control.Config{
		Claims: newClaims(cfg), EmptyServiceTimeout: cfg.EmptyServiceTimeout, SkipCleanup: cfg.SkipConfigCleanup,
		Clusters: b.sources.names(), Retry: func() { b.sources.refresh("retry") },
	}, renderer, b.loop, log.Named("control"), control.NewMetrics(reg))
	mode := marathon.Follow
	switch cfg.Mode { //nolint:exhaustive // the other modes do not serve.
	case ModePoll:
		mode = marathon.Poll
	case ModeOnce:
		mode = marathon.Once
	}
	for _, s := range b.sources.each {
		s.begin(cfg, mode, b.controller, b.pass)
	}
	b.admin = admin.New(admin.Config{
		Socket: cfg.adminSocket(), Group: frame.Group, Listen: cfg.AdminListen, Sources: cfg.AdminSources,
	}, view{b}, reg, log)
	return b, nil
}

// run starts the parts and, when ctx is done, ends them in the order that loses
// nothing: first nothing new comes in, then HAProxy is stopped softly, then the interface goes.
func (b *balancer) run(ctx context.Context) error {
	defer b.sources.close()
	defer b.controller.Close()
	// Whoever has these has the HAProxy, too: it must not be touched then.
	if err := b.admin.Open(ctx); err != nil {
		return err
	}
	outer, endOuter := context.WithCancel(context.WithoutCancel(ctx))
	defer endOuter()
	applying, endApplying := context.WithCancel(outer)
	defer endApplying()
	g, failed := errgroup.WithContext(outer)
	g.Go(func() error { return b.admin.Run(outer) })
	g.Go(func() error {
		defer endOuter()
		return b.loop.Run(applying)
	})
	if b.cfg.Mode != ModeOnce {
		for _, s := range b.sources.each {
			g.Go(func() error {
				s.keeper.Run(applying)
				return nil
			})
		}
	}
	g.Go(func() error {
		defer endApplying()
		watching, end := context.WithCancel(ctx)
		defer end()
		defer context.AfterFunc(failed, end)()
		if err := b.watch(watching); err != nil || b.cfg.Mode != ModeOnce {
			return err
		}
		if err := b.loop.Settle(watching); err != nil {
			b.log.Warn("reload not awaited", zap.Error(err))
		}
		return nil
	})
	err := g.Wait()
	if err == nil {
		b.log.Info("ended")
	}
	return err
}

// watch follows Marathon and answers the signals until ctx is done.
func (b *balancer) watch(ctx context.Context) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	g, ctx := errgroup.WithContext(ctx)
	ctx, end := context.WithCancel(ctx)
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case s := <-signals:
				b.signalled(s)
			}
		}
	})
	g.Go(func() error {
		b.serveLast(ctx)
		return nil
	})
	g.Go(func() error {
		b.memory.run(ctx)
		return nil
	})
	g.Go(func() error {
		defer end() // mode once ends by itself
		return b.sources.run(ctx)
	})
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// lastPatience is how long a start waits for Marathon's first answer before the last
// good configuration is served, and for all clusters before one is left out.
const lastPatience = 2 * time.Second

// serveLast serves the last good configuration when Marathon takes its time, as it does
// when a master accepts connections and does not answer. Somebody else's HAProxy is
// not started.
func (b *balancer) serveLast(ctx context.Context) {
	patience := time.NewTimer(lastPatience)
	defer patience.Stop()
	select {
	case <-ctx.Done():
		return
	case <-patience.C:
	}
	if b.cfg.Mode != ModeOnce {
		b.controller.Proceed(ctx)
	}
	if _, passed := b.controller.Last(); passed || b.controller.Busy() > 0 || b.cfg.foreign() {
		return
	}
	if _, err := b.loop.StartLast(ctx); err != nil && ctx.Err() == nil {
		b.log.Warn("last good configuration not served", zap.Error(err))
	}
}

// pass brings a snapshot into effect.
func (b *balancer) pass(ctx context.Context, s discovery.Snapshot) {
	b.controller.Pass(ctx, s)
	if s.Apps == nil {
		b.memory.listRead()
	}
}

// signalled does what contract 1.3 says about HUP and USR1.
func (b *balancer) signalled(s os.Signal) {
	switch s {
	case syscall.SIGHUP:
		b.sources.refresh("signal")
	case syscall.SIGUSR1:
		b.loop.Reload("signal")
	}
}

// stale is how old the data may be, beyond the time between two full readings,
// before the instance is no longer ready.
const stale = time.Minute

// view shows a balancer to the admin interface.
type view struct{ *balancer }
