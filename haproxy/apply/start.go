package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/process"
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
		case err != nil || !ok:
			return err
		}
		l.up = time.Now()
		l.learn(work)
		return nil
	}
}

// learn works out what an adopted HAProxy runs: the text it was started with, and
// the servers it has now. If that text is not known, the first Apply reloads. So it
// does when the file says more than servers could have changed since: then the file
// may have been loaded without anybody having noted that.
func (l *Loop) learn(ctx context.Context) {
	l.loaded, l.running = "", haproxy.Config{}
	loaded, err := os.ReadFile(l.loadedFile())
	if err != nil {
		l.log.Warn("not known what haproxy was started with, it will be reloaded", zap.Error(err))
		return
	}
	config, err := haproxy.Parse(string(loaded))
	if err != nil {
		l.log.Warn("not known what haproxy was started with, it will be reloaded", zap.Error(err))
		return
	}
	onDisk, err := l.parseFile()
	switch {
	case errors.As(err, new(*fs.PathError)) && !errors.Is(err, fs.ErrNotExist):
		onDisk = config // it cannot be written either, so a reload would help nobody
	case err != nil || len(haproxy.Diff(config, onDisk, l.version).Reasons) > 0:
		// Who wrote the file may have died right before or right after the reload.
		l.log.Warn("not known whether haproxy has loaded its file, it will be reloaded", zap.Error(err))
		return
	}
	l.loaded, l.running = string(loaded), onDisk
	if err := l.reconcile(ctx); err != nil {
		l.log.Warn("servers of the adopted haproxy are not known, it will be reloaded", zap.Error(err))
		l.running = haproxy.Config{}
	}
}

// parseFile reads the configuration file.
func (l *Loop) parseFile() (haproxy.Config, error) {
	text, err := os.ReadFile(l.cfg.File)
	if err != nil {
		return haproxy.Config{}, fmt.Errorf("read file of haproxy: %w", err)
	}
	config, err := haproxy.Parse(string(text))
	if err != nil {
		return haproxy.Config{}, fmt.Errorf("parse %s: %w", l.cfg.File, err)
	}
	return config, nil
}

// reconcile makes running say what HAProxy has. Servers that no text knows are on
// their way out.
func (l *Loop) reconcile(ctx context.Context) error {
	states, err := l.socket.Servers(ctx)
	if err != nil {
		return fmt.Errorf("read servers: %w", err)
	}
	actual, unknown := actualServers(l.running, states)
	l.running = actual
	for _, s := range unknown {
		l.leave(ctx, s)
	}
	return nil
}

// bringUp starts HAProxy with the desired text, or with the last good one if that
// cannot be. On a cold start its own start is the check.
func (l *Loop) bringUp(ctx context.Context) (Result, error) {
	result, err := l.startDesired(ctx)
	if err == nil {
		return result, nil
	}
	if l.startLast(ctx) {
		l.pending = haproxy.Diff(l.running, l.wanted, l.version).Reasons
	}
	if len(result.Refused)+len(result.Taken) == 0 || !l.process.Running() {
		l.retrySoon()
	}
	return result, err
}

func (l *Loop) startDesired(ctx context.Context) (Result, error) {
	result := Result{Method: MethodFailed}
	taken, err := l.takenBinds(l.wanted.Binds())
	if result.Taken = taken; len(taken) > 0 {
		return result, err
	}
	if result.Refused = l.verdict(l.desired.Text); len(result.Refused) > 0 {
		return result, errRefused(result.Refused)
	}
	previous := l.readFile()
	if err := l.writeFile(l.desired.Text); err != nil {
		return result, err
	}
	if err := l.start(ctx); err != nil {
		l.restoreFile(previous)
		if start, ok := errors.AsType[*process.StartError](err); ok {
			result.Refused = refusals(process.ParseMessages(start.Output), l.cfg.File, l.wanted)
			l.refuse(l.desired.Text, result.Refused)
		}
		return result, err
	}
	result.Method = MethodStart
	l.loadedNow(ctx, l.desired.Text, l.wanted)
	return result, nil
}

// start starts HAProxy with the file. One that was taken for dead and answers again
// is adopted and loads the file. Notes about HAProxy that cannot be written do not
// make a start fail.
func (l *Loop) start(ctx context.Context) error {
	err := l.process.Start(ctx)
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

// startLast starts HAProxy with a text that it is known to take: the file, or
// what it was last loaded with.
func (l *Loop) startLast(ctx context.Context) bool {
	for _, path := range []string{l.cfg.File, l.loadedFile()} {
		b, err := os.ReadFile(path)
		text := string(b)
		if err != nil || l.verdict(text) != nil {
			continue
		}
		config, err := haproxy.Parse(text)
		if err != nil {
			continue
		}
		if taken, _ := l.takenBinds(config.Binds()); len(taken) > 0 {
			continue
		}
		if path != l.cfg.File {
			if err := l.writeFile(text); err != nil {
				l.log.Error("last good configuration not written", zap.Error(err))
				return false
			}
		}
		if err := l.start(ctx); err != nil {
			l.log.Error("haproxy not started with the last good configuration", zap.Error(err))
			continue
		}
		l.loadedNow(ctx, text, config)
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
		if l.desired.Text != "" {
			l.reapply(ctx)
		}
		return
	}
	if l.desired.Text != "" {
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

// loadedNow notes that HAProxy runs a text from its start or a reload on.
func (l *Loop) loadedNow(ctx context.Context, text string, config haproxy.Config) {
	l.loaded, l.running, l.written = text, config, text
	l.pending, l.retry, l.asked, l.down = nil, 0, "", false
	l.up = time.Now()
	l.reload.Stop()
	l.leaving.clear()
	if err := l.writeState(text); err != nil {
		l.log.Error("state not written", zap.Error(err))
	}
	if err := l.reconcile(ctx); err != nil {
		l.log.Warn("servers not read back", zap.Error(err))
	}
}
