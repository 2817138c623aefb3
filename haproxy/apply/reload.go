package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
)

// apply does what is to be done for a configuration now.
func (l *Loop) apply(ctx context.Context, d haproxy.Config) (Result, error) {
	if err := l.checkNames(d); err != nil {
		return Result{Method: MethodFailed}, err
	}
	l.desired = d
	l.sweepFiles(d.Files)
	if !l.process.Running() {
		return l.bringUp(ctx)
	}
	if l.filing.unsure {
		l.filing.unsure = false
		l.flushLater()
	}
	l.meetStrangers(ctx)
	plan := haproxy.Diff(l.running, d, l.version)
	plan.Steps = l.admit(ctx, plan.Steps)
	result := Result{Method: MethodNone, Plan: plan}
	reasons := plan.Reasons
	if n := len(plan.Steps) + len(plan.Maps); n > 0 && l.socket == nil {
		reasons = append(reasons, haproxy.Reason{Code: reasonNoSocket, Detail: fmt.Sprintf("%d changes of servers and maps", n)})
	} else if n > 0 {
		begin := time.Now()
		result.Method = MethodRuntime
		reasons = append(reasons, l.runtime(ctx, plan, &result)...)
		result.Runtime = time.Since(begin)
		l.flushLater()
	}
	l.pending, result.Reasons = reasons, reasons
	if len(reasons) == 0 {
		l.checking.approved = haproxy.Config{}
		l.scheduleAsked()
		return result, nil
	}
	if l.underWay(d) || l.command.now != nil && onlyUnconfirmed(reasons) {
		result.Method = MethodDeferred
		return result, nil
	}
	if wait := l.untilReload(); wait > 0 {
		l.reload.Reset(wait)
		result.Method = MethodDeferred
		return result, nil
	}
	return l.loadChecked(ctx, d, result)
}

// runtime does what a plan says at run time. Maps lead to other servers after those are
// there, and before others go.
func (l *Loop) runtime(ctx context.Context, plan haproxy.Plan, r *Result) []haproxy.Reason {
	if len(plan.Maps) == 0 {
		return l.steps(ctx, plan.Steps, r)
	}
	taking := slices.IndexFunc(plan.Steps, haproxy.Step.Takes)
	if taking < 0 {
		taking = len(plan.Steps)
	}
	reasons := l.steps(ctx, plan.Steps[:taking], r)
	reasons = append(reasons, l.maps(ctx, plan.Maps)...)
	return append(reasons, l.steps(ctx, plan.Steps[taking:], r)...)
}

// untilReload returns how long the next reload has to wait.
func (l *Loop) untilReload() time.Duration {
	if l.last.IsZero() {
		return 0
	}
	return time.Until(l.last.Add(max(l.cfg.MinReloadInterval, l.retry)))
}

// load lets HAProxy load a configuration that needs no check: there is a verdict against
// it, or none is wanted.
func (l *Loop) load(ctx context.Context, d haproxy.Config, result Result) (Result, error) {
	if refused := l.verdict(d); refused != nil && !l.cfg.SkipValidation {
		result.Method, result.Refused = MethodFailed, refused
		l.attempted, l.attemptErr = time.Now(), errRefused(refused)
		return result, l.attemptErr
	}
	return l.commit(ctx, d, result)
}

// commit lets HAProxy load a configuration against which nothing is known, after all that
// can be tried without it, and notes how that ended.
func (l *Loop) commit(ctx context.Context, d haproxy.Config, result Result) (Result, error) {
	begin := time.Now()
	result, err := l.tryCommit(ctx, d, result)
	result.Reload = time.Since(begin)
	if result.Method != MethodDeferred {
		l.attempted, l.attemptErr = time.Now(), err
	}
	return result, err
}

func (l *Loop) tryCommit(ctx context.Context, d haproxy.Config, result Result) (Result, error) {
	result.Method = MethodFailed
	taken, err := l.takenBinds(newBinds(l.running, d))
	if result.Taken = taken; len(taken) > 0 {
		return result, err
	}
	previous, err := l.writeFiles(d)
	if err != nil {
		l.restore(previous)
		l.failedReload()
		return result, err
	}
	if l.cfg.Command != nil {
		l.keep(previous)
		return l.begin(d, result), nil
	}
	l.saveHealth(ctx, d)
	loaded, err := l.reloadProcess(ctx)
	l.forgetHealth()
	if err != nil {
		l.restore(previous)
		l.failedReload()
		if errors.Is(err, runtime.ErrReloadFailed) {
			result.Refused = refusals(process.ParseMessages(loaded.Log), l.cfg.File, d)
			l.refuse(d, result.Refused)
		}
		return result, err
	}
	l.keep(previous)
	l.last = time.Now()
	l.metrics.reloads.WithLabelValues("ok").Inc()
	result.Method = MethodReload
	adds, removes := count(l.running, d)
	result.Adds, result.Removes = result.Adds+adds, result.Removes+removes
	l.loadedNow(ctx, d)
	return result, nil
}

// reloadProcess lets HAProxy load the file. Notes about it that cannot be written
// do not make a reload fail: the new worker serves.
func (l *Loop) reloadProcess(ctx context.Context) (runtime.ReloadResult, error) {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	l.before("reload")
	loaded, err := l.process.Reload(ctx)
	l.before("go on after the reload")
	switch {
	case err == nil:
		return loaded, nil
	case loaded.Worker != 0 && !errors.Is(err, runtime.ErrReloadFailed) && l.process.Running():
		l.log.Warn("haproxy reloaded, with a problem beside it", zap.Error(err))
		return loaded, nil
	case loaded.Log == "":
		return loaded, err
	}
	return loaded, fmt.Errorf("%w: %s", err, firstLine(loaded.Log))
}

// count returns how many servers a reload brings and takes.
func count(before, after haproxy.Config) (adds, removes int) {
	names := func(c haproxy.Config) map[string]bool {
		out := map[string]bool{}
		for _, s := range c.Sections.All() {
			for _, srv := range s.Servers {
				out[s.Name+"/"+srv.Name] = true
			}
		}
		return out
	}
	old, now := names(before), names(after)
	for n := range now {
		if !old[n] {
			adds++
		}
	}
	for n := range old {
		if !now[n] {
			removes++
		}
	}
	return adds, removes
}

// failedReload makes the next attempt come later each time.
func (l *Loop) failedReload() {
	l.metrics.reloads.WithLabelValues("failed").Inc()
	l.last = time.Now()
	l.retrySoon()
}

// retrySoon arms the timer for another attempt to reload or start HAProxy.
func (l *Loop) retrySoon() {
	l.retry = min(max(2*l.retry, minRetry), maxRetry)
	l.reload.Reset(l.retry)
}

// due does what the reload timer was set for.
func (l *Loop) due(ctx context.Context) {
	if !l.process.Running() {
		l.restart(ctx)
		return
	}
	if len(l.pending) > 0 && !l.desired.Empty() {
		l.reapply(ctx)
	}
	// A good reload for the newest text has done that on the way.
	l.loadFile(ctx)
}

// reapply applies the newest text without anybody waiting for the result.
func (l *Loop) reapply(ctx context.Context) {
	begin := time.Now()
	r, err := l.apply(ctx, l.desired)
	if r.check != nil { // whose end will be reported
		r.check.state.Store(givenUp)
		return
	}
	l.report(r, err, time.Since(begin))
	l.callAgain(r)
}

// callAgain asks for a text without what was refused or taken, or for the same one
// again if the last answer about it was an error that is mended now.
func (l *Loop) callAgain(r Result) {
	mended := l.owed && r.Method != MethodFailed && r.Method != MethodDeferred
	if (mended || len(r.Refused)+len(r.Taken) > 0) && l.cfg.Again != nil {
		l.owed = false
		l.cfg.Again()
	}
}

// scheduleAsked keeps the reload timer for a reload on request, or stops it.
func (l *Loop) scheduleAsked() {
	if l.asked == "" {
		l.reload.Stop()
		return
	}
	l.reload.Reset(max(0, l.untilReload()))
}

// loadFile does what Reload was called for: HAProxy loads the file on disk, whoever
// wrote it, if it is good. A start has the same effect, so nothing is to be done
// when HAProxy does not run.
func (l *Loop) loadFile(ctx context.Context) {
	if l.asked == "" || !l.process.Running() {
		l.asked = ""
		return
	}
	if wait := l.untilReload(); wait > 0 {
		l.reload.Reset(wait)
		return
	}
	if l.checking.now != nil {
		return // its end comes back here
	}
	l.writeRunning()
	begin := time.Now()
	result := Result{Method: MethodFailed, Reasons: []haproxy.Reason{{Code: reasonAsked, Detail: l.asked}}}
	d, err := l.readFiles()
	switch {
	case err != nil:
		l.failedReload()
	case l.cfg.SkipValidation || l.verdict(d) != nil:
		result, err = l.load(ctx, d, result)
	default:
		l.checkFile(d, result)
		return
	}
	l.fileLoaded(ctx, result, err, begin)
}

// fileLoaded takes in what has come of loading the file.
func (l *Loop) fileLoaded(ctx context.Context, r Result, err error, begin time.Time) {
	l.report(r, err, time.Since(begin))
	if err == nil || len(r.Refused)+len(r.Taken) > 0 {
		l.asked = "" // otherwise the retry timer runs
	}
	if err == nil && r.Method == MethodReload && !l.desired.Empty() && !l.desired.Equal(l.loaded) {
		l.reapply(ctx)
	}
}

// newBinds returns the binds that only the second configuration has.
func newBinds(running, wanted haproxy.Config) []string {
	have := running.Binds()
	return slices.DeleteFunc(wanted.Binds(), func(b string) bool { return slices.Contains(have, b) })
}

// takenBinds tries each address and returns those that others hold, with an error
// that names the holders. A port that cannot be bound would stop every listener
// for two seconds during a reload.
func (l *Loop) takenBinds(binds []string) (taken []string, err error) {
	if l.foreign { // which of them are HAProxy's own cannot be told
		return nil, nil
	}
	var errs []error
	for i, err := range process.BindTests(binds, l.process.PIDs()...) {
		if port, ok := errors.AsType[*process.PortError](err); ok {
			taken = append(taken, binds[i])
			errs = append(errs, port)
		}
	}
	return taken, errors.Join(errs...)
}
