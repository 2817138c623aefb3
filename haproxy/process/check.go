package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// CheckTimeout bounds one check.
	CheckTimeout = 2 * time.Minute

	exitRefused    = 1
	exitNoListener = 2
)

// ErrCheckUnknown says that HAProxy gave no verdict: it crashed, hung or could not
// be run. The files may be good.
var ErrCheckUnknown = errors.New("haproxy gave no verdict on the configuration")

// ErrNoListener says that the files are correct but HAProxy would not start with
// them, because they have no listener.
var ErrNoListener = errors.New("configuration has no listener")

var (
	messagePattern  = regexp.MustCompile(`^\[([A-Z]+)\] +\(\d+\) : (?:config : )?(.*)$`)
	positionPattern = regexp.MustCompile(`\[([^\[\]]+):(\d+)\]`)
	proxyPattern    = regexp.MustCompile(`(?i)\b(?:proxy|backend|frontend|listen) '([^'\s]+)'|'server ([^'/\s]+)/[^']*'`)
)

// blames reports whether the message is an error in a line.
func (m Message) blames() bool { return m.Level == "ALERT" && m.Line > 0 }

// CheckError is a verdict against configuration files.
type CheckError struct {
	// Output is everything that HAProxy wrote.
	Output string
	// Messages are the messages in Output, in order.
	Messages []Message
}

// Message is one message of HAProxy about its configuration.
type Message struct {
	// Level is ALERT, WARNING or NOTICE. Alerts are errors, the last of them
	// summaries.
	Level string
	// File and Line are the place; empty and 0 when the message names none, as
	// those about references between sections do.
	File string
	Line int
	// Proxies are the sections named in the text, sorted, each once.
	Proxies []string
	// Text is the message.
	Text string
}

// Error returns the first alert.
func (e *CheckError) Error() string {
	return "haproxy refuses the configuration: " + firstAlert(e.Output)
}

// Check lets "binary -c" judge configuration files, which HAProxy reads as one, in
// order. It returns nil, a [*CheckError], or an error that wraps [ErrNoListener] or
// [ErrCheckUnknown]; only the last may be worth a retry. HAProxy crashes over some
// errors after it has named their lines: that is a verdict too. HAProxy binds and connects
// to nothing here, so a good verdict does not promise that it starts. Safe for
// concurrent use; blocks for at most [CheckTimeout].
func Check(ctx context.Context, binary string, files ...string) error {
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	args := []string{"-c"}
	for _, f := range files {
		args = append(args, "-f", f)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = childEnvironment(cmd.Environ())
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: check %s: %w", ErrCheckUnknown, strings.Join(files, " "), ctx.Err())
	case errors.As(err, &exit) && exit.ExitCode() == exitRefused:
		return &CheckError{Output: out.String(), Messages: ParseMessages(out.String())}
	case errors.As(err, &exit) && exit.ExitCode() == exitNoListener:
		return fmt.Errorf("check %s: %w", strings.Join(files, " "), ErrNoListener)
	}
	if messages := ParseMessages(out.String()); slices.ContainsFunc(messages, Message.blames) {
		return &CheckError{Output: out.String(), Messages: messages} // it crashed over what it had found
	}
	return fmt.Errorf("%w: check %s: %w: %.200q", ErrCheckUnknown, strings.Join(files, " "), err, firstAlert(out.String()))
}

// ParseMessages reads what HAProxy writes about its configuration, when it checks,
// starts or reloads. Lines without a level belong to the message
// before them.
func ParseMessages(output string) []Message {
	var out []Message
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		m := messagePattern.FindStringSubmatch(line)
		switch {
		case m != nil:
			out = append(out, newMessage(m[1], m[2]))
		case len(out) > 0 && line != "":
			out[len(out)-1].Text += "\n" + line
		}
	}
	return out
}

func newMessage(level, text string) Message {
	msg := Message{Level: level, Text: text}
	if m := positionPattern.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[2]); err == nil {
			msg.File, msg.Line = m[1], n
		}
	}
	for _, m := range proxyPattern.FindAllStringSubmatch(text, -1) {
		msg.Proxies = append(msg.Proxies, m[1]+m[2]) // one of them is empty
	}
	slices.Sort(msg.Proxies)
	msg.Proxies = slices.Compact(msg.Proxies)
	return msg
}

// firstAlert returns the most telling line of HAProxy's output: its first alert,
// else the first line that is not empty.
func firstAlert(output string) string {
	first := ""
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		m := messagePattern.FindStringSubmatch(line)
		switch {
		case m != nil && m[1] == "ALERT":
			return m[2]
		case first == "" && m == nil:
			first = line
		}
	}
	if first == "" {
		return "no message"
	}
	return first
}
