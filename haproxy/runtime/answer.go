package runtime

import (
	"errors"
	"fmt"
	"strings"
)

// Severity is HAProxy's rating of an answer, the syslog level: 0 (emergency) to 3
// (error) are failures, 4 is a warning, 5 and 6 are information.
type Severity int

// SeverityUnknown means that HAProxy did not rate the answer. The master socket
// never does.
const SeverityUnknown Severity = -1

const (
	severityError Severity = 3
	severityInfo  Severity = 6
)

// CommandError is a command that HAProxy refused. Repeating it does not help
// unless the state of HAProxy changes.
type CommandError struct {
	// Command is the command.
	Command string
	// Severity is HAProxy's rating, or SeverityUnknown when the refusal was
	// recognised by its text.
	Severity Severity
	// Message is HAProxy's answer.
	Message string
}

// Error returns the command with HAProxy's answer.
func (e *CommandError) Error() string {
	return fmt.Sprintf("haproxy refused %q: %s", e.Command, e.Message)
}

// newAnswer reads one answer: on a stats socket "[3]: text", elsewhere "text".
func newAnswer(command, raw string) Answer {
	a := Answer{Command: command, Severity: SeverityUnknown, Text: strings.Trim(raw, "\n ")}
	if t := a.Text; len(t) >= 4 && t[0] == '[' && t[1] >= '0' && t[1] <= '7' && t[2] == ']' && t[3] == ':' {
		a.Severity = Severity(t[1] - '0')
		a.Text = strings.TrimPrefix(t[4:], " ")
	}
	return a
}

// Err returns nil, or a [*CommandError] when HAProxy refused the command. HAProxy's
// rating decides if there is one. Otherwise the commands that change servers are
// known to say nothing, or one of a few phrases, when they work; and a command that
// HAProxy does not know gets a help text. Answers to other commands are taken for
// success.
func (a Answer) Err() error {
	if !a.refused() {
		return nil
	}
	return &CommandError{Command: a.Command, Severity: a.Severity, Message: firstLine(a.Text)}
}

func (a Answer) refused() bool {
	switch {
	case a.Severity >= 0 && a.Severity <= severityError:
		return true
	case strings.HasPrefix(a.Text, "Unknown command"), strings.HasPrefix(a.Text, "Permission denied"):
		return true // HAProxy rates the former as information
	case a.Text == "", a.Severity > severityError && a.Severity <= severityInfo:
		return false
	}
	return refusedByText(strings.Fields(a.Command), a.Text)
}

// refusedByText judges a non-empty answer that carries no severity.
func refusedByText(words []string, text string) bool {
	if len(words) < 2 {
		return false
	}
	switch words[0] + " " + words[1] {
	case "add server":
		return !strings.Contains(text, "New server registered.")
	case "del server":
		return !strings.Contains(text, "Server deleted.")
	case "set server":
		return !strings.Contains(text, " changed from ") && !strings.Contains(text, "no need to change ")
	case "set weight", "enable server", "disable server", "enable health", "disable health",
		"enable agent", "disable agent", "enable dynamic-cookie", "shutdown sessions":
		return true
	case "show servers", "show stat", "show info":
		return !strings.Contains(text, "#") && !strings.Contains(text, ": ")
	}
	return false
}

// Refused returns the refusals among answers, each a [*CommandError], joined; nil
// when there is none.
func Refused(answers []Answer) error {
	var errs []error
	for _, a := range answers {
		if err := a.Err(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
