package contract_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mlb/test/balancer"
)

// wish is what an answer must be like.
type wish func(a balancer.Answer) error

// expect waits until the request gets an answer that is as wished. It waits because
// apps appear one after the other.
func expect(t *testing.T, r balancer.Request, wishes ...wish) {
	t.Helper()
	balancer.Eventually(t, r.Method+" "+r.URL+" "+r.Host, func() error {
		a, err := r.Send(t.Context())
		if err != nil {
			return err
		}
		for _, w := range wishes {
			if err := w(a); err != nil {
				return fmt.Errorf("%w; the answer is %d %v %.300q", err, a.Code, a.Header, a.Body)
			}
		}
		return nil
	})
}

// expectClosed waits until the request gets no answer because nobody listens or the
// connection is closed.
func expectClosed(t *testing.T, r balancer.Request) {
	t.Helper()
	balancer.Eventually(t, "no answer from "+r.URL+" "+r.Host, func() error {
		if a, err := r.Send(t.Context()); err == nil {
			return fmt.Errorf("%d %.100q", a.Code, a.Body)
		}
		return nil
	})
}

// by wishes for an answer of a task of the app.
func by(app string) wish {
	return func(a balancer.Answer) error {
		if got := a.Said("app"); got != app {
			return fmt.Errorf("the answer is by %q, want %q", got, app)
		}
		return nil
	}
}

// code wishes for a status.
func code(want int) wish {
	return func(a balancer.Answer) error {
		if a.Code != want {
			return fmt.Errorf("status %d, want %d", a.Code, want)
		}
		return nil
	}
}

// header wishes for the value of a header of the answer; empty means none.
func header(name, want string) wish {
	return func(a balancer.Answer) error {
		if got := a.Header.Get(name); got != want {
			return fmt.Errorf("%s is %q, want %q", name, got, want)
		}
		return nil
	}
}

// said wishes for what the task says about the request.
func said(key, want string) wish {
	return func(a balancer.Answer) error {
		if got := a.Said(key); got != want {
			return fmt.Errorf("the task saw %s %q, want %q", key, got, want)
		}
		return nil
	}
}

// body wishes for a body; has for one that has the text in it.
func body(want string) wish {
	return func(a balancer.Answer) error {
		if a.Body != want {
			return fmt.Errorf("want the body %q", want)
		}
		return nil
	}
}

func has(text string) wish {
	return func(a balancer.Answer) error {
		if !strings.Contains(a.Body, text) {
			return fmt.Errorf("%q is not in the body", text)
		}
		return nil
	}
}

// contains says whether the text is in what was seen.
func contains(seen, text string) error {
	if !strings.Contains(seen, text) {
		return fmt.Errorf("%q is not in %q", text, seen)
	}
	return nil
}

// refused wishes for a denial by HAProxy, whatever its status.
func refused(a balancer.Answer) error {
	if a.Task != "" || a.Code < 400 {
		return errors.New("the request was let in")
	}
	return nil
}

// expectProblem waits until mlb reports a problem of the app and that the texts are
// in its report.
func expectProblem(t *testing.T, s scene, app string, texts ...string) {
	t.Helper()
	balancer.Eventually(t, "a problem of "+app, func() error {
		report, err := s.Ask(t.Context(), "/_mlb/problems")
		if err != nil {
			return err
		}
		for problem := range strings.SplitSeq(report, `{"app":`) {
			if !strings.HasPrefix(problem, `"`+app+`"`) {
				continue
			}
			missing := false
			for _, text := range texts {
				missing = missing || !strings.Contains(problem, text)
			}
			if !missing {
				return nil
			}
		}
		return errors.New(report)
	})
}
