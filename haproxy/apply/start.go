package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
)

// lockPatience is how long a predecessor may take to let go of the state folder.
const lockPatience = 15 * time.Second

// adopt takes over a HAProxy that lives already and finds out what it runs. It gives
// up waiting for the state folder when ctx is done.
func (l *Loop) adopt(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	patience := time.NewTimer(lockPatience)
	defer patience.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		ok, err := l.process.Adopt(work)
		switch {
		case errors.Is(err, process.ErrLocked):
			select {
			case <-again.C:
				continue
			case <-patience.C:
				return err
			case <-ctx.Done():
				return err
			}
		case errors.Is(err, process.ErrHung):
			l.log.Error("haproxy hangs, another one will be started", zap.Error(err))
			return nil
		case !ok:
			return err
		case err != nil: // a note that cannot be written: HAProxy serves
			l.log.Warn("haproxy adopted, with a problem beside it", zap.Error(err))
		}
		l.up = time.Now()
		l.filing.unsure = true
		l.learn(work)
		return nil
	}
}

// learn works out what an adopted HAProxy runs: the text it was started with, and
// the servers it has now. If that text is not known, the first Apply reloads. So it
// does when the file says more than servers could have changed since: then the file
// may have been loaded without anybody having noted that.
func (l *Loop) learn(ctx context.Context) {
	l.loaded, l.running = haproxy.Config{}, haproxy.Config{}
	loaded, err := l.readLoaded()
	if err != nil {
		l.log.Warn("not known what haproxy was started with, it will be reloaded", zap.Error(err))
		return
	}
	l.loaded.Files = loaded.Files // names the files to look at
	onDisk, err := l.readFiles()
	switch {
	case errors.As(err, new(*fs.PathError)) && !errors.Is(err, fs.ErrNotExist):
		onDisk = loaded // it cannot be written either, so a reload would help nobody
	case err != nil || l.needsReload(haproxy.Diff(loaded, onDisk, l.version)):
		// Who wrote the file may have died right before or right after the reload.
		l.log.Warn("not known whether haproxy has loaded its file, it will be reloaded", zap.Error(err))
		return
	}
	l.loaded, l.running = loaded, onDisk
	if err := errors.Join(l.reconcile(ctx), l.readMaps(ctx)); err != nil {
		l.log.Warn("servers and maps of the adopted haproxy are not known, it will be reloaded", zap.Error(err))
		l.running = haproxy.Config{}
	}
}

// needsReload reports whether runtime steps alone cannot do what a plan says.
func (l *Loop) needsReload(p haproxy.Plan) bool {
	return len(p.Reasons) > 0 || l.socket == nil && len(p.Steps)+len(p.Maps) > 0
}

// reconcile makes running say what HAProxy has. Servers that neither the text nor the
// note of added servers knows are on their way out.
func (l *Loop) reconcile(ctx context.Context) error {
	if l.socket == nil {
		return nil
	}
	states, err := l.socket.Servers(ctx)
	if err != nil {
		return fmt.Errorf("read servers: %w", err)
	}
	actual, unknown := actualServers(l.running, states)
	added := l.readAdded()
	var steps []haproxy.Step
	for _, s := range unknown {
		if _, leaves := l.leaving.servers[s.Backend+"/"+s.Name]; leaves && held(s) {
			continue
		}
		server, noted := added[s.Backend+"/"+s.Name]
		switch {
		case (!noted || !sameAddress(server.Address, s)) && l.desired.Empty() && !held(s):
			l.strangers = append(l.strangers, s)
		case !noted || !sameAddress(server.Address, s):
			l.leave(ctx, s, haproxy.Server{Name: s.Name})
		case held(s) == server.Ready(): // it has begun to leave, or its adding was cut short
			l.leave(ctx, s, server)
		default:
			steps = append(steps, haproxy.Step{Kind: haproxy.AddServer, Backend: s.Backend, Server: server})
		}
	}
	l.running = actual.After(steps)
	return nil
}

// meetStrangers settles what becomes of servers that serve and that neither the text nor
// a note knew at adoption, as when the disk took no note. One that is wanted under its
// name, with its address and weight, is taken for that one; the others leave.
func (l *Loop) meetStrangers(ctx context.Context) {
	var steps []haproxy.Step
	for _, s := range l.strangers {
		server, wanted := wantedServer(l.desired, s)
		if !wanted {
			l.leave(ctx, s, haproxy.Server{Name: s.Name})
			continue
		}
		steps = append(steps, haproxy.Step{Kind: haproxy.AddServer, Backend: s.Backend, Server: server})
	}
	l.strangers = nil
	l.running = l.running.After(steps)
}

// wantedServer returns the server of a configuration that one of HAProxy's may be.
func wantedServer(c haproxy.Config, s runtime.ServerState) (haproxy.Server, bool) {
	sec, ok := c.Backend(s.Backend)
	if !ok {
		return haproxy.Server{}, false
	}
	i := slices.IndexFunc(sec.Servers, func(w haproxy.Server) bool { return w.Name == s.Name })
	if i < 0 {
		return haproxy.Server{}, false
	}
	w := sec.Servers[i].Effective()
	_, literal := netip.ParseAddrPort(w.Address)
	return w, literal == nil && sameAddress(w.Address, s) && w.Ready() && w.Same(w.WithWeight(s.Weight))
}

// bringUp starts HAProxy with the desired text, or with the last good one if that
// cannot be. On a cold start its own start is the check.
func (l *Loop) bringUp(ctx context.Context) (Result, error) {
	result, err := l.startDesired(ctx)
	if err == nil {
		return result, nil
	}
	if l.startLast(ctx) {
		l.pending = haproxy.Diff(l.running, l.desired, l.version).Reasons
	}
	if len(result.Refused)+len(result.Taken) == 0 || !l.process.Running() {
		l.retrySoon()
	}
	return result, err
}

func (l *Loop) startDesired(ctx context.Context) (Result, error) {
	result := Result{Method: MethodFailed}
	taken, err := l.takenBinds(l.desired.Binds())
	if result.Taken = taken; len(taken) > 0 {
		return result, err
	}
	if result.Refused = l.verdict(l.desired); len(result.Refused) > 0 {
		return result, errRefused(result.Refused)
	}
	previous, err := l.writeFiles(l.desired)
	if err != nil {
		l.restore(previous)
		return result, err
	}
	if err := l.start(ctx); err != nil {
		l.restore(previous)
		if start, ok := errors.AsType[*process.StartError](err); ok {
			result.Refused = refusals(process.ParseMessages(start.Output), l.cfg.File, l.desired)
			l.refuse(l.desired, result.Refused)
		}
		return result, err
	}
	l.keep(previous)
	result.Method = MethodStart
	l.loadedNow(ctx, l.desired)
	return result, nil
}

// start starts HAProxy with the file. One that was taken for dead and answers again
// is adopted and loads the file. Notes about HAProxy that cannot be written do not
// make a start fail.
func (l *Loop) start(ctx context.Context) error {
	l.before("start")
	err := l.process.Start(ctx)
	l.before("go on after the start")
	switch {
	case err == nil:
		return nil
	case l.process.Running():
		l.log.Warn("haproxy started, with a problem beside it", zap.Error(err))
		return nil
	case !errors.Is(err, process.ErrRunning):
		return err
	}
	if ok, adoptErr := l.process.Adopt(ctx); adoptErr != nil || !ok {
		return errors.Join(err, adoptErr)
	}
	_, err = l.reloadProcess(ctx)
	return err
}

// startLast starts HAProxy with what it is known to take: the files, or what it was
// last loaded with.
func (l *Loop) startLast(ctx context.Context) bool {
	for _, read := range []func() (haproxy.Config, error){l.readFiles, l.readLoaded} {
		d, err := read()
		if err != nil || l.verdict(d) != nil {
			continue
		}
		if taken, _ := l.takenBinds(d.Binds()); len(taken) > 0 {
			continue
		}
		previous, err := l.writeFiles(d)
		l.keep(previous)
		if err != nil {
			l.log.Error("last good configuration not written", zap.Error(err))
			return false
		}
		if err = l.start(ctx); err != nil {
			l.log.Error("haproxy not started with the last good configuration", zap.Error(err))
			continue
		}
		l.loadedNow(ctx, d)
		l.log.Info("haproxy started with the last good configuration")
		return true
	}
	return false
}

// died notices the end of HAProxy. It is started again at once, unless it ran for a
// moment only: then the wait grows.
func (l *Loop) died(ctx context.Context) {
	l.down = true
	l.log.Error("haproxy has ended, starting it again")
	l.metrics.restarts.Inc()
	l.writeRunning()
	l.leaving.clear()
	l.arriving.clear()
	if time.Since(l.up) <= maxRestart {
		l.restartLater()
		return
	}
	l.restarts = 0
	l.restart(ctx)
}

func (l *Loop) restartLater() {
	l.restarts = min(max(2*l.restarts, minRestart), maxRestart)
	l.reload.Reset(l.restarts)
}

// restart brings HAProxy back after it has died, and then to the newest text.
func (l *Loop) restart(ctx context.Context) {
	if l.startLast(ctx) {
		if !l.desired.Empty() {
			l.reapply(ctx)
		}
		return
	}
	if !l.desired.Empty() {
		begin := time.Now()
		r, err := l.bringUp(ctx)
		l.report(r, err, time.Since(begin))
		l.callAgain(r)
		if l.process.Running() {
			return
		}
	}
	l.restartLater()
}

// loadedNow notes that HAProxy runs a configuration from its start or a reload on.
func (l *Loop) loadedNow(ctx context.Context, d haproxy.Config) {
	if l.command.now != nil {
		l.command.now.overtaken = true
	}
	l.loaded, l.running = d, d
	l.command.ahead, l.checking.approved = false, haproxy.Config{}
	l.pending, l.retry, l.asked, l.down = nil, 0, "", false
	l.up = time.Now()
	l.reload.Stop()
	l.leaving.clear()
	l.arriving.clear()
	l.strangers = nil
	if err := l.writeLoaded(d); err != nil {
		l.log.Error("state not written", zap.Error(err))
	}
	l.forgetAdded()
	if err := l.reconcile(ctx); err != nil {
		l.log.Warn("servers not read back", zap.Error(err))
	}
}
