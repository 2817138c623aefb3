package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/process"
)

// lockPatience is how long a predecessor may take to let go of the state folder.
const lockPatience = 15 * time.Second

// adopt takes over a HAProxy that lives already and finds out what it runs.
func (l *Loop) adopt(ctx context.Context) error {
	patience := time.NewTimer(lockPatience)
	defer patience.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		ok, err := l.process.Adopt(ctx)
		switch {
		case errors.Is(err, process.ErrLocked):
			select {
			case <-again.C:
				continue
			case <-patience.C:
				return err
			}
		case errors.Is(err, process.ErrHung):
			l.log.Error("haproxy hangs, another one will be started", zap.Error(err))
			return nil
		case err != nil || !ok:
			return err
		}
		l.learn(ctx)
		return nil
	}
}

// learn works out what an adopted HAProxy runs: the text it was started with, and
// the servers it has now. If that text is not known, the first Apply reloads.
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
	l.loaded, l.running = string(loaded), config
	if file, err := os.ReadFile(l.cfg.File); err == nil {
		if onDisk, err := haproxy.Parse(string(file)); err == nil && len(haproxy.Diff(config, onDisk, l.version).Reasons) == 0 {
			l.running = onDisk
		}
	}
	if err := l.reconcile(ctx); err != nil {
		l.log.Warn("servers of the adopted haproxy are not known, it will be reloaded", zap.Error(err))
		l.running = haproxy.Config{}
	}
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

// bringUp starts HAProxy with the desired text. On a cold start its own start is
// the check.
func (l *Loop) bringUp(ctx context.Context) (Result, error) {
	if taken, err := l.takenBinds(l.wanted.Binds()); len(taken) > 0 {
		l.startLast(ctx)
		l.retrySoon()
		return Result{Method: MethodFailed, Taken: taken}, err
	}
	if refused := l.verdict(l.desired.Text); refused != nil {
		l.startLast(ctx)
		return Result{Method: MethodFailed, Refused: refused}, errRefused(refused)
	}
	previous := l.readFile()
	if err := l.writeFile(l.desired.Text); err != nil {
		l.retrySoon()
		return Result{Method: MethodFailed}, err
	}
	err := l.process.Start(ctx)
	if err == nil {
		l.loadedNow(ctx, l.desired.Text, l.wanted)
		l.log.Info("haproxy started")
		return Result{Method: MethodStart}, nil
	}
	l.restoreFile(previous)
	result := Result{Method: MethodFailed}
	if start, ok := errors.AsType[*process.StartError](err); ok {
		if result.Refused = refusals(process.ParseMessages(start.Output), l.wanted); len(result.Refused) > 0 {
			l.refuse(l.desired.Text, result.Refused)
		}
	}
	l.startLast(ctx)
	l.retrySoon()
	return result, err
}

// startLast starts HAProxy with a text that it is known to take: the file, or
// what it was last loaded with.
func (l *Loop) startLast(ctx context.Context) bool {
	for _, path := range []string{l.cfg.File, l.loadedFile()} {
		text, err := os.ReadFile(path)
		if err != nil || string(text) == l.desired.Text && l.verdict(l.desired.Text) != nil {
			continue
		}
		config, err := haproxy.Parse(string(text))
		if err != nil {
			continue
		}
		if taken, _ := l.takenBinds(config.Binds()); len(taken) > 0 {
			continue
		}
		if err := l.writeFile(string(text)); err != nil {
			l.log.Error("last good configuration not written", zap.Error(err))
			return false
		}
		if err := l.process.Start(ctx); err != nil {
			l.log.Error("haproxy not started with the last good configuration", zap.Error(err))
			continue
		}
		l.loadedNow(ctx, string(text), config)
		l.log.Info("haproxy started with the last good configuration")
		return true
	}
	return false
}

// restart brings HAProxy back after it has died.
func (l *Loop) restart(ctx context.Context) {
	if !l.down {
		l.down = true
		l.log.Error("haproxy has ended, starting it again")
		l.metrics.restarts.Inc()
		l.writeRunning()
		if time.Since(l.up) > maxRestart {
			l.restarts = 0
		}
	}
	l.leaving.clear()
	if l.startLast(ctx) || l.process.Running() {
		l.again(ctx)
		return
	}
	if l.desired.Text != "" {
		if _, err := l.bringUp(ctx); err == nil {
			return
		}
	}
	l.restarts = min(max(2*l.restarts, minRestart), maxRestart)
	l.reload.Reset(l.restarts)
}

// again applies the newest text to a HAProxy that was started with an older one.
func (l *Loop) again(ctx context.Context) {
	if l.desired.Text == "" {
		return
	}
	if _, err := l.apply(ctx, l.desired); err != nil {
		l.log.Error("not applied", zap.Error(err))
	}
}

// loadedNow notes that HAProxy runs a text from its start or a reload on.
func (l *Loop) loadedNow(ctx context.Context, text string, config haproxy.Config) {
	l.loaded, l.running, l.written = text, config, text
	l.pending, l.retry, l.down = nil, 0, false
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
