package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/pflag"
)

// The exit statuses of a start that fails (contract 1.2).
const (
	exitFailure = 1
	exitUsage   = 2
)

// Mistake is one thing that is wrong with a command line or an environment.
type Mistake struct {
	Text string
	// Status is the exit status that contract 1 gives it.
	Status int
}

// StartError is everything that is wrong with a command line and its
// environment, in the order in which marathon-lb would have met it. It holds no
// secret. Trying again does not help.
type StartError struct {
	Mistakes []Mistake
	// Usage is the short usage that belongs in front of the message; empty when
	// the command line's form was right.
	Usage string
}

// Error returns the mistakes, each on a line of its own.
func (e *StartError) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = m.Text
	}
	return strings.Join(lines, "\n")
}

// Message returns what belongs on standard error: usage, then each mistake
// under the program's name.
func (e *StartError) Message() string {
	var b strings.Builder
	b.WriteString(e.Usage)
	for _, m := range e.Mistakes {
		b.WriteString("mlb: " + m.Text + "\n")
	}
	return b.String()
}

// ExitStatus returns the status of the first mistake, with which marathon-lb
// would have ended.
func (e *StartError) ExitStatus() int {
	if len(e.Mistakes) == 0 {
		return exitFailure
	}
	return e.Mistakes[0].Status
}

// add notes a mistake.
func (e *StartError) add(status int, text string) {
	e.Mistakes = append(e.Mistakes, Mistake{Text: text, Status: status})
}

// usage notes a mistake in the form of the command line.
func (e *StartError) usage(call invocation, text string) {
	e.Usage = shortUsage(call)
	e.add(exitUsage, text)
}

// exitCode returns the exit status for an error of [Load] or of a run.
func exitCode(err error) int {
	if start, ok := errors.AsType[*StartError](err); ok {
		return start.ExitStatus()
	}
	return exitFailure
}

// flagMistake says what pflag found wrong with one normalised word. pflag
// repeats the value, which may be a secret or pages long; here it is quoted only
// by parsers that know what they hold.
func flagMistake(word string, err error) string {
	name, _, _ := strings.Cut(word, "=")
	if _, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return name + " needs a value"
	}
	if _, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return "unknown flag: " + name
	}
	if cause := plainError(err); cause != err.Error() {
		return name + ": " + cause
	}
	return "bad flag: " + name
}

// plainError returns the text of what a parser said, without what pflag puts
// around it.
func plainError(err error) string {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return invalid.Unwrap().Error()
	}
	return err.Error()
}

// invocation is what the program's name and first word say about the rest.
type invocation struct {
	program   string // as the usage shows it, with the mode
	mode      Mode
	container bool
	rest      []string
}

// foreignFlags says whether the rest of the command line is not read here.
func (i invocation) foreignFlags() bool {
	switch i.mode {
	case ModeHealth, ModeReload, ModeRelease, ModeTemplates, ModeDemo, ModeVersion, ModeHelp:
		return true
	case ModeSSE, ModePoll, ModeOnce, ModeRender, ModeLongHelp:
		return false
	default:
		return false
	}
}

// readInvocation tells the forms of contract 1.1 apart. The name "run" is the
// container's entry point, "marathon_lb.py" the updater, "reload_haproxy.sh" asks for
// a reload; any other name is mlb
// itself, where a first word that is a flag, or none, means the updater too.
func readInvocation(args []string) (invocation, error) {
	program := "mlb"
	if len(args) > 0 {
		program = path.Base(args[0])
		args = args[1:]
	}
	switch program {
	case "run":
		return readContainerMode(args)
	case "marathon_lb.py":
		return invocation{program: program, mode: ModeOnce, rest: args}, nil
	case "reload_haproxy.sh":
		return invocation{program: program, mode: ModeReload, rest: args}, nil
	case "zdd.py", "bluegreen_deploy.py":
		return invocation{}, &StartError{Mistakes: []Mistake{{program + ": this version has no deployment tool", exitUsage}}}
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return invocation{program: "mlb", mode: ModeOnce, rest: args}, nil
	}
	mode, rest := Mode(args[0]), args[1:]
	call := invocation{program: "mlb " + string(mode), mode: mode, rest: rest}
	switch mode {
	case ModeSSE, ModePoll:
		call.container = true
		return call, nil
	case ModeOnce, ModeRender, ModeHealth, ModeReload, ModeRelease, ModeTemplates, ModeDemo, ModeVersion, ModeHelp:
		return call, nil
	case ModeLongHelp: // a flag, not a word
	}
	call.program = "mlb"
	wrong := &StartError{}
	wrong.usage(call, fmt.Sprintf("unknown command %q", args[0]))
	return invocation{}, wrong
}

// readContainerMode reads the first word after the container's entry point.
func readContainerMode(args []string) (invocation, error) {
	if len(args) > 0 {
		switch mode := Mode(args[0]); mode {
		case ModeSSE, ModePoll:
			return invocation{program: "run " + args[0], mode: mode, container: true, rest: args[1:]}, nil
		case ModeOnce, ModeRender, ModeHealth, ModeReload, ModeRelease, ModeTemplates, ModeDemo, ModeVersion, ModeHelp, ModeLongHelp:
		}
	}
	return invocation{}, &StartError{Mistakes: []Mistake{{"the first word must be sse or poll", exitFailure}}}
}
