package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// maxLine is the longest line that is sent, in bytes, with what the master
	// inserts. A line above one buffer of HAProxy (16,384 bytes) is cut, refused or
	// left unanswered, depending on the version.
	maxLine = 12000
	// maxWords is how many words a command may have; later ones would be ignored
	// or refused.
	maxWords = 64
	// marker is sent after each command; its answer, one line, tells where the
	// answer before it ends. An empty line does not: HAProxy 2.6 ends some
	// answers without one ("Server deleted.").
	marker = "show version"
	// inserted is what a master puts in front of each command for its worker, from
	// 3.0 on: the severity setting, 27 bytes and some reserve. The space of commands
	// that are done with is not used again, so all of it counts.
	inserted = 32
	// lineReserve is what the library and the master socket add to a line.
	lineReserve = len("set severity-output number;") + len("@1 ") + inserted + len(marker) + len(";quit\n")
)

// ErrIncomplete says that not every command of a batch was answered, because
// HAProxy closed the connection or was replaced meanwhile. Which commands were
// carried out is unknown: read the state back.
var ErrIncomplete = errors.New("incomplete answer from haproxy")

// ErrInvalidCommand says that a command cannot be sent safely.
var ErrInvalidCommand = errors.New("invalid command")

// Answer is what HAProxy said to one command.
type Answer struct {
	// Command is the command as it was given to Execute.
	Command string
	// Severity is how HAProxy rated the answer.
	Severity Severity
	// Text is the answer without severity and surrounding empty lines; empty when
	// HAProxy had nothing to say, which mostly means success.
	Text string
}

// Execute runs commands in order and returns one answer for each. A refused
// command does not keep the later ones from running and is no error of Execute:
// see [Answer.Err] and [Refused].
//
// Commands are sent in lines of at most 12,000 bytes, one connection each. On an
// error the answers of the lines before are returned with it; whether commands of
// the failed line were carried out is unknown ([ErrIncomplete], [ErrTimeout]), and
// those after it were not sent. Nothing is sent when any command is one that
// [Validate] refuses.
func (s *Socket) Execute(ctx context.Context, commands []string) ([]Answer, error) {
	return s.execute(ctx, commands, noSecond)
}

// ask is Execute for questions whose answers may be long. A question that is not answered
// soon is asked a second time beside the first: the master of 2.6 and 3.0 sometimes
// forgets the rest of a line after an answer that does not fit the kernel's buffer, about
// 200 kB, and the answer never ends.
func (s *Socket) ask(ctx context.Context, questions []string) ([]Answer, error) {
	return s.execute(ctx, questions, secondAfter)
}

func (s *Socket) execute(ctx context.Context, commands []string, second time.Duration) ([]Answer, error) {
	for _, c := range commands {
		if err := Validate(c); err != nil {
			return nil, err
		}
	}
	answers := make([]Answer, 0, len(commands))
	for _, batch := range s.batches(commands) {
		text, err := s.toWorker(ctx, s.line(batch), second)
		if err != nil {
			return answers, fmt.Errorf("execute %s: %w", describe(batch), err)
		}
		got, err := splitAnswers(text, batch)
		if err != nil {
			return answers, fmt.Errorf("execute %s on %s: %w", describe(batch), s.path, err)
		}
		for _, a := range got {
			s.log.Debug("runtime command", zap.String("command", a.Command), zap.String("answer", firstLine(a.Text)))
		}
		answers = append(answers, got...)
	}
	return answers, nil
}

// query asks one question and returns its answer, or a [*CommandError].
func (s *Socket) query(ctx context.Context, question string) (string, error) {
	answers, err := s.ask(ctx, []string{question})
	if err != nil {
		return "", err
	}
	return answers[0].Text, answers[0].Err()
}

// Validate reports why a command cannot be sent: it is empty, has characters that
// would end it or begin another (";", line breaks and other control characters,
// backslash, anything but ASCII), would be addressed to another process ("@"),
// would begin a payload ("<<") or end the session, is the one that separates
// answers ("show version"), has more than 64 words, or is too long for a line. The error wraps [ErrInvalidCommand].
func Validate(command string) error {
	words := strings.Fields(command)
	var reason string
	switch {
	case len(words) == 0:
		reason = "empty"
	case strings.ContainsFunc(command, func(r rune) bool { return r < ' ' || r > '~' || r == ';' || r == '\\' }):
		reason = "forbidden character"
	case len(words) > maxWords:
		reason = "too many words"
	case strings.HasPrefix(words[0], "@"):
		reason = "addressed to a process"
	case words[0] == "quit" || words[0] == "prompt":
		reason = "changes the session"
	case strings.Join(words, " ") == marker:
		reason = "separates answers; Info has the version"
	case strings.Contains(command, "<<"):
		reason = "payload"
	case len(command)+2*(len("@1 ;")+inserted)+len(marker)+lineReserve > maxLine:
		reason = "too long"
	default:
		return nil
	}
	return fmt.Errorf("%w %.100q: %s", ErrInvalidCommand, command, reason)
}

// batches cuts commands into runs that fit a line.
func (s *Socket) batches(commands []string) [][]string {
	var out [][]string
	start, size := 0, lineReserve
	for i, c := range commands {
		n := len(c) + len(marker) + 2*len(s.workerPrefix()+";")
		if s.master {
			n += 2 * inserted
		}
		if size+n > maxLine && i > start {
			out = append(out, commands[start:i])
			start, size = i, lineReserve
		}
		size += n
	}
	if start < len(commands) {
		out = append(out, commands[start:])
	}
	return out
}

// line joins commands, with a marker before the first and after each.
func (s *Socket) line(commands []string) string {
	var b strings.Builder
	prefix := s.workerPrefix()
	b.WriteString(prefix + marker)
	for _, c := range commands {
		b.WriteString(";" + prefix + c + ";" + prefix + marker)
	}
	return b.String()
}

// splitAnswers cuts the text that a line of commands gave at the answers to its
// markers.
func splitAnswers(text string, commands []string) ([]Answer, error) {
	lines := strings.Split(strings.TrimRight(text, "\n "), "\n")
	version := lines[len(lines)-1] // the last marker's answer
	if version == "" {
		return nil, fmt.Errorf("%w: nothing", ErrIncomplete)
	}
	answers := make([]Answer, 0, len(commands))
	begin, markers := 0, 0
	for i, l := range lines {
		if l != version {
			continue
		}
		if markers > 0 && markers <= len(commands) {
			answers = append(answers, newAnswer(commands[markers-1], strings.Join(lines[begin:i], "\n")))
		}
		markers++
		begin = i + 1
	}
	if markers != len(commands)+1 {
		return nil, fmt.Errorf("%w: %d of %d commands answered, last line %.100q",
			ErrIncomplete, max(0, markers-1), len(commands), version)
	}
	return answers, nil
}

func describe(batch []string) string {
	if len(batch) == 1 {
		return fmt.Sprintf("%.100q", batch[0])
	}
	return fmt.Sprintf("%d commands (first %.100q)", len(batch), batch[0])
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
