package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mlb/haproxy"
	"mlb/haproxy/process"
)

// apply does what is to be done for a text now.
func (l *Loop) apply(ctx context.Context, d Desired) (Result, error) {
	wanted, err := haproxy.Parse(d.Text)
	if err != nil {
		return Result{Method: MethodFailed}, fmt.Errorf("desired text: %w", err)
	}
	if d.Text != l.desired.Text {
		l.forgetVerdicts(d.Text)
	}
	l.desired, l.wanted = d, wanted
	if !l.process.Running() {
		return l.bringUp(ctx)
	}
	plan := haproxy.Diff(l.running, wanted, l.version)
	result := Result{Method: MethodNone}
	reasons := plan.Reasons
	if len(plan.Steps) > 0 {
		result.Method = MethodRuntime
		reasons = append(reasons, l.steps(ctx, plan.Steps, &result)...)
		l.flushLater()
	}
	if len(reasons) == 0 {
		l.pending = nil
		l.reload.Stop()
		return result, nil
	}
	l.pending = reasons
	result.Reasons = reasons
	if wait := l.untilReload(); wait > 0 {
		l.reload.Reset(wait)
		result.Method = MethodDeferred
		return result, nil
	}
	return l.doReload(ctx, result)
}

// untilReload returns how long the next reload has to wait.
func (l *Loop) untilReload() time.Duration {
	if l.last.IsZero() {
		return 0
	}
	return time.Until(l.last.Add(max(l.cfg.MinReloadInterval, l.retry)))
}

// doReload lets HAProxy load the desired text, after everything that could go
// wrong has been tried without it.
func (l *Loop) doReload(ctx context.Context, result Result) (Result, error) {
	result.Method = MethodFailed
	if taken, err := l.takenBinds(newBinds(l.running, l.wanted)); len(taken) > 0 {
		result.Taken = taken
		return result, err
	}
	if refused, err := l.check(ctx); err != nil {
		result.Refused = refused
		if refused == nil {
			l.failedReload()
		}
		return result, err
	}
	previous := l.readFile()
	if err := l.writeFile(l.desired.Text); err != nil {
		l.failedReload()
		return result, err
	}
	limited, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	loaded, err := l.process.Reload(limited)
	l.last = time.Now()
	if err != nil {
		l.restoreFile(previous)
		l.failedReload()
		return result, fmt.Errorf("%w: %s", err, firstLine(loaded.Log))
	}
	l.metrics.reloads.WithLabelValues("ok").Inc()
	result.Method = MethodReload
	result.Adds, result.Removes = count(l.running, l.wanted, result)
	l.loadedNow(ctx, l.desired.Text, l.wanted)
	return result, nil
}

// count returns how many servers a reload brings and takes, beyond what runtime
// steps did.
func count(before, after haproxy.Config, r Result) (adds, removes int) {
	names := func(c haproxy.Config) map[string]bool {
		out := map[string]bool{}
		for _, s := range c.Sections {
			for _, srv := range s.Servers {
				out[s.Name+"/"+srv.Name] = true
			}
		}
		return out
	}
	old, now := names(before), names(after)
	adds, removes = r.Adds, r.Removes
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
	l.retry = min(max(2*l.retry, minRetry), maxRetry)
	l.reload.Reset(l.retry)
}

// retrySoon arms the timer for another attempt to start HAProxy.
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
	if len(l.pending) == 0 {
		return
	}
	start := time.Now()
	r, err := l.apply(ctx, l.desired)
	l.report(r, err, time.Since(start))
	if (len(r.Refused) > 0 || len(r.Taken) > 0) && l.cfg.Again != nil {
		l.cfg.Again()
	}
}

// asked does what Reload was called for: HAProxy loads the file on disk.
func (l *Loop) asked(ctx context.Context, reason string) {
	if !l.process.Running() {
		return
	}
	if l.desired.Text == "" { // nothing is known to be wanted but what is there
		l.desired.Text = l.running.Text()
		l.wanted = l.running
	}
	l.pending = append(l.pending, haproxy.Reason{Code: "asked", Detail: reason})
	start := time.Now()
	r, err := l.doReload(ctx, Result{Reasons: l.pending})
	l.report(r, err, time.Since(start))
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
	own := l.process.PIDs()
	var errs []error
	for _, b := range binds {
		var port *process.PortError
		if err := process.BindTest(b, own...); errors.As(err, &port) {
			taken = append(taken, b)
			errs = append(errs, port)
		}
	}
	return taken, errors.Join(errs...)
}

// check lets HAProxy judge the desired text. The error is nil if it is good;
// otherwise refused says what is wrong with it, or is nil if there is no verdict.
func (l *Loop) check(ctx context.Context) ([]Refusal, error) {
	if l.cfg.SkipValidation {
		return nil, nil
	}
	if refused := l.verdict(l.desired.Text); refused != nil {
		return refused, errRefused(refused)
	}
	candidate, err := l.writeCandidate(l.desired.Text)
	if err != nil {
		return nil, err
	}
	defer l.removeCandidate(candidate)
	err = process.Check(ctx, l.cfg.Binary, candidate)
	refusal, ok := errors.AsType[*process.CheckError](err)
	if !ok {
		return nil, err
	}
	refused := refusals(refusal.Messages, l.wanted)
	if len(refused) == 0 {
		refused = []Refusal{{Message: refusal.Error()}}
	}
	l.refuse(l.desired.Text, refused)
	return refused, errRefused(refused)
}

// verdict returns what HAProxy had against a text, or nil.
func (l *Loop) verdict(text string) []Refusal {
	if l.refusedText != text {
		return nil
	}
	return l.refused
}

func (l *Loop) refuse(text string, refused []Refusal) { l.refusedText, l.refused = text, refused }

func (l *Loop) forgetVerdicts(next string) {
	if l.refusedText != next {
		l.refusedText, l.refused = "", nil
	}
}

// refusals turns alerts into refusals. Alerts without a place are only counted
// when they name a section; the rest are summaries.
func refusals(messages []process.Message, c haproxy.Config) []Refusal {
	var out []Refusal
	for _, m := range messages {
		if m.Level != "ALERT" {
			continue
		}
		if m.Line > 0 {
			r := Refusal{Line: m.Line, Message: firstLine(m.Text)}
			if s, ok := c.SectionAt(m.Line); ok {
				r.Section = s.Key()
			}
			out = append(out, r)
			continue
		}
		for _, name := range m.Proxies {
			for _, s := range c.Sections {
				if s.Name == name {
					out = append(out, Refusal{Section: s.Key(), Message: firstLine(m.Text)})
				}
			}
		}
	}
	return out
}

func errRefused(refused []Refusal) error {
	return fmt.Errorf("haproxy refuses the configuration: %s", refused[0].Message)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
