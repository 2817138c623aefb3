package marathon

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mlb/discovery"
)

// idle reports whether a task in the given state is not served: not yet or no more
// running. Every other state is, names that nobody knows yet too (contract 2.3,
// K17).
func idle(state string) bool {
	switch state {
	case "TASK_STAGING", "TASK_STARTING", "TASK_KILLING", "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED",
		"TASK_ERROR", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR", "TASK_UNKNOWN":
		return true
	}
	return false
}

// hasHealthChecks reports whether Marathon's verdict can gate the app's tasks.
func hasHealthChecks(a *App) bool {
	return slices.ContainsFunc(a.HealthChecks, func(h *HealthCheck) bool { return h != nil })
}

// ownCheck returns the health check of a port index: the first one that has a
// fixed port or names the index (contract 4.5). Checks that have neither, such as
// COMMAND, belong to no port.
func ownCheck(a *App, index int) (discovery.HealthCheck, error) {
	for _, h := range a.HealthChecks {
		if h == nil || h.Port == 0 && (h.PortIndex == nil || *h.PortIndex != index) {
			continue
		}
		c := discovery.HealthCheck{
			Protocol: h.Protocol, Path: h.Path, PortIndex: -1, Port: h.Port,
			GracePeriodSeconds: h.GracePeriodSeconds, IntervalSeconds: h.IntervalSeconds,
			TimeoutSeconds: h.TimeoutSeconds, MaxConsecutiveFailures: h.MaxConsecutiveFailures, JSON: h.Document,
		}
		if h.PortIndex != nil {
			c.PortIndex = *h.PortIndex
		}
		if c.Path == "" {
			c.Path = "/"
		}
		return c, checkFields(c)
	}
	return discovery.HealthCheck{}, nil
}

// serviceCheck returns the health check that HAProxy repeats for a service: its own
// one or, with the label for it, that of another port index; borrowed tells which
// (contract 4.5).
func serviceCheck(a *App, d *draft) (check discovery.HealthCheck, borrowed bool, err error) {
	check, err = ownCheck(a, d.index)
	if check.Exists() || err != nil || !d.checkIndexGiven {
		return check, false, err
	}
	check, err = ownCheck(a, d.checkIndex)
	return check, check.Exists(), err
}

// Bounds of what HAProxy takes as a time (its timers are 31 bits of
// milliseconds) and of a count.
const (
	maxSeconds = 2_000_000
	maxCount   = 1_000_000
)

// checkFields refuses a health check that HAProxy could not be told to repeat.
func checkFields(c discovery.HealthCheck) error {
	switch {
	case !isProtocol(c.Protocol):
		return fmt.Errorf("protocol %q is not a word of capitals", excerpt(c.Protocol))
	case c.Port < 0 || c.Port > maxPort:
		return fmt.Errorf("port %d is not between 1 and %d", c.Port, maxPort)
	case c.IntervalSeconds < 1 || c.IntervalSeconds > maxSeconds:
		return fmt.Errorf("interval of %d seconds is not between 1 and %d", c.IntervalSeconds, maxSeconds)
	case c.TimeoutSeconds < 0 || c.TimeoutSeconds > maxSeconds:
		return fmt.Errorf("timeout of %d seconds is not between 0 and %d", c.TimeoutSeconds, maxSeconds)
	case c.GracePeriodSeconds < 0 || c.GracePeriodSeconds > maxSeconds:
		return fmt.Errorf("grace period of %d seconds is not between 0 and %d", c.GracePeriodSeconds, maxSeconds)
	case c.MaxConsecutiveFailures < 0 || c.MaxConsecutiveFailures > maxCount:
		return fmt.Errorf("%d consecutive failures is not between 0 and %d", c.MaxConsecutiveFailures, maxCount)
	}
	if err := plain(c.JSON); err != nil {
		return fmt.Errorf("the check as a whole: %w", err)
	}
	if err := plain(c.Path); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if strings.ContainsAny(c.Path, ` "'#\`) {
		return errors.New(`path: blanks, quotes, "#" and "\" are not allowed`)
	}
	return nil
}

func isProtocol(s string) bool {
	return s != "" && len(s) <= 32 && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && r != '_' })
}
