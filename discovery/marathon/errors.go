package marathon

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// ErrUnauthorized says that Marathon wants credentials, or others than it got
// (status 401), or that those are not allowed to see what was asked for (403).
// Only other credentials help.
var ErrUnauthorized = errors.New("not authorized")

// ErrNotFound says that Marathon knows no app of that ID.
var ErrNotFound = errors.New("no such app")

// Why an attempt ended.
var (
	errNoAnswer      = errors.New("no answer in time")
	errStalledAnswer = errors.New("answer stalled")
	errSlowAnswer    = errors.New("answer not complete in time")
)

// hung reports whether an attempt ended because a master took its time, and not by
// anything that it said or did.
func hung(err error) bool {
	for _, why := range []error{errNoAnswer, errStalledAnswer, errSlowAnswer, errStreamSilent, errNoEvent} {
		if errors.Is(err, why) {
			return true
		}
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// StatusError is an answer whose status is not the one that was expected. Its
// chain holds ErrUnauthorized for 401 and 403.
type StatusError struct {
	// Status is the HTTP status code.
	Status int
}

// Error says the status in numbers and words.
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("status %d %s", e.Status, http.StatusText(e.Status)))
}

// Unwrap returns ErrUnauthorized if that is what the status means.
func (e *StatusError) Unwrap() error {
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		return ErrUnauthorized
	}
	return nil
}

// attemptErrors are the errors of one attempt per master, in one line.
type attemptErrors []error

func (e attemptErrors) Error() string {
	var texts []string
	for _, err := range e {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

func (e attemptErrors) Unwrap() []error { return e }

// bodyError is what is wrong with the body of an answer.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }
