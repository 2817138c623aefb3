package apply

import (
	"context"
	"sync/atomic"
	"time"

	"mlb/haproxy"
)

// checkPatience is how long an Apply waits for the check of its text.
const checkPatience = 200 * time.Millisecond

// checking is the check of a text that needs a reload. It runs beside the loop: what
// HAProxy can take at run time never waits for a text that it may refuse.
type checking struct {
	start func(*check) // runs it beside the loop
	now   *check       // nil: none runs
	ended chan judgement
	// approved has been found good and is not loaded yet; empty: there is none.
	approved haproxy.Config
}

// check is one check.
type check struct {
	desired haproxy.Config
	result  Result // what was done before
	begin   time.Time
	// file says that the configuration is what is on disk, whoever wrote it, and is to be
	// loaded in any case.
	file bool
	// stale says that files which the check reads have changed since it began.
	stale bool
	// state says whether it was answered or given up, whichever came first.
	state  atomic.Int32
	answer chan answer
}

// States of a check.
const (
	awaited int32 = iota
	answered
	givenUp
)

// judgement is how a check ended.
type judgement struct {
	refused []Refusal
	err     error // there is no verdict
}

// await returns what came of the check in the end, or what is known after a while. When
// ctx ends, nobody waits any more.
func (c *check) await(ctx context.Context, r Result, patience time.Duration) (Result, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a := <-c.answer:
		return a.result, a.err
	case <-timer.C:
	case <-ctx.Done():
	}
	if c.state.CompareAndSwap(awaited, givenUp) {
		return r, ctx.Err()
	}
	a := <-c.answer
	return a.result, a.err
}

// loadChecked lets HAProxy load a configuration once a check beside the loop has found
// nothing against it. Until then the result is deferred.
func (l *Loop) loadChecked(ctx context.Context, d haproxy.Config, result Result) (Result, error) {
	if l.cfg.SkipValidation || l.verdict(d) != nil {
		return l.load(ctx, d, result)
	}
	if approved := l.checking.approved; !approved.Empty() {
		l.checking.approved = haproxy.Config{}
		newest := approved.WithServersOf(d)
		loaded, err := l.commit(ctx, newest, result)
		if err != nil && !newest.Equal(d) {
			loaded.Refused = nil // its lines are not those of d, which is checked next
		}
		if err != nil || loaded.Method != MethodReload || l.loaded.Equal(d) {
			return loaded, err
		}
		rest, err := l.apply(ctx, d) // what has come meanwhile
		return loaded.and(rest), err
	}
	result.Method = MethodDeferred
	if l.checking.now != nil {
		return result, nil
	}
	taken, err := l.takenBinds(newBinds(l.running, d))
	if len(taken) > 0 {
		result.Method, result.Taken = MethodFailed, taken
		l.attempted, l.attemptErr = time.Now(), err
		return result, err
	}
	l.awaitFlush()
	l.checking.now = &check{desired: d, result: result, begin: time.Now(), answer: make(chan answer, 1)}
	result.check = l.checking.now
	l.checking.start(l.checking.now)
	return result, nil
}

// checkFile begins to check what is on disk.
func (l *Loop) checkFile(d haproxy.Config, result Result) {
	l.checking.now = &check{desired: d, result: result, begin: time.Now(), file: true}
	l.checking.start(l.checking.now)
}

// judgedFile is judged for what is on disk.
func (l *Loop) judgedFile(ctx context.Context, c *check, j judgement) {
	r, err := c.result, j.err
	switch {
	case c.stale || !l.process.Running(): // then it is made again, or a start has done it
		l.loadFile(ctx)
		return
	case j.refused != nil:
		l.refuse(c.desired, j.refused)
		r.Refused, err = j.refused, errRefused(j.refused)
		l.attempted, l.attemptErr = time.Now(), err
	case err != nil:
		l.attempted, l.attemptErr = time.Now(), err
		l.failedReload()
	default:
		r, err = l.commit(ctx, c.desired.WithServersOf(l.running), r)
	}
	l.fileLoaded(ctx, r, err, c.begin)
}

// judged takes in how the check has ended, and goes on with the newest configuration:
// if only servers have changed since, the check stands for it.
func (l *Loop) judged(ctx context.Context, j judgement) {
	c := l.checking.now
	l.checking.now = nil
	defer l.afterCheck()
	if c.file {
		l.judgedFile(ctx, c, j)
		return
	}
	r, err := c.result, j.err
	switch {
	case c.stale: // then it is made again
		r, err = l.goOn(ctx, r)
	case j.refused != nil:
		l.refuse(c.desired, j.refused)
		r.Method, r.Refused, err = MethodFailed, j.refused, errRefused(j.refused)
		l.attempted, l.attemptErr = time.Now(), err
	case err != nil:
		r.Method = MethodFailed
		l.attempted, l.attemptErr = time.Now(), err
		l.failedReload()
	default:
		l.checking.approved = c.desired
		r, err = l.goOn(ctx, r)
	}
	r.check = nil
	if r.Reload > 0 || r.Method == MethodFailed {
		r.Reload = time.Since(c.begin) // with all its tests
	}
	l.finish(c, answer{r, err})
}

// afterCheck does what could not be done meanwhile.
func (l *Loop) afterCheck() {
	if l.checking.now != nil {
		return
	}
	if l.filing.dirty {
		l.armFlush()
	}
	if l.asked != "" || len(l.pending) > 0 && !l.refusing(l.desired) {
		l.reload.Reset(max(0, l.untilReload()))
	}
}

// goOn applies the newest configuration after a check.
func (l *Loop) goOn(ctx context.Context, before Result) (Result, error) {
	r, err := l.apply(ctx, l.desired)
	if r.check != nil { // nobody waits for another one
		r.check.state.Store(givenUp)
	}
	return before.and(r), err
}

// finish tells whoever waits for a check what came of it.
func (l *Loop) finish(c *check, a answer) {
	l.report(a.result, a.err, time.Since(c.begin))
	if c.state.CompareAndSwap(awaited, answered) {
		l.owed = a.err != nil
		l.publish()
		c.answer <- a
		return
	}
	l.callAgain(a.result)
}

// awaitCheck waits for the check that is being made.
func (l *Loop) awaitCheck(ctx context.Context) {
	if l.checking.now != nil {
		l.judged(ctx, <-l.checking.ended)
	}
}

// endCheck gives up the check that is being made.
func (l *Loop) endCheck() {
	c := l.checking.now
	if c == nil {
		return
	}
	<-l.checking.ended
	l.checking.now = nil
	if !c.file && c.state.CompareAndSwap(awaited, answered) {
		c.answer <- answer{err: ErrEnded}
	}
}

// and returns the result of two attempts for one configuration, one after the other.
func (r Result) and(then Result) Result {
	then.Adds, then.Removes = r.Adds+then.Adds, r.Removes+then.Removes
	then.Runtime, then.Reload = r.Runtime+then.Runtime, r.Reload+then.Reload
	if r.Method == MethodReload && then.Method != MethodFailed && then.Method != MethodDeferred || then.Method == MethodNone && r.Method == MethodRuntime {
		then.Method, then.Reasons = r.Method, r.Reasons
	}
	return then
}
