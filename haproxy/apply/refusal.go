package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mlb/haproxy"
	"mlb/haproxy/process"
)

// Refusal is one error that HAProxy found in a text.
type Refusal struct {
	// Line is the line of the configuration's text, from 1; 0 if the message names none.
	Line int
	// Section is the key of a section that the message names, such as
	// "backend x_1", or empty.
	Section string
	// Message is HAProxy's, without the place.
	Message string
}

// Check lets HAProxy judge a configuration and does nothing else. Nil means that it
// is good, or that checks are left out; the error says that there is no verdict. It
// blocks like Apply.
func (l *Loop) Check(ctx context.Context, d haproxy.Config) ([]Refusal, error) {
	r, err := l.ask(ctx, func(work context.Context) (Result, error) {
		if err := l.checkNames(d); err != nil || l.cfg.SkipValidation {
			return Result{}, err
		}
		l.awaitCheck(work)
		refused, err := l.judge(work, d)
		return Result{Refused: refused}, err
	})
	return r.Refused, err
}

// judge returns what HAProxy has against a configuration; nil if it is good.
func (l *Loop) judge(ctx context.Context, d haproxy.Config) ([]Refusal, error) {
	candidate, remove, err := l.writeCandidate(d)
	defer remove()
	if err != nil {
		return nil, err
	}
	l.before("check")
	err = process.Check(ctx, l.cfg.Binary, candidate)
	refusal, ok := errors.AsType[*process.CheckError](err)
	if !ok {
		return nil, err
	}
	refused := refusals(refusal.Messages, candidate, d)
	if len(refused) == 0 {
		refused = []Refusal{{Message: refusal.Error()}}
	}
	return refused, nil
}

// verdict returns what HAProxy had against a configuration, or nil. What it had against
// it long ago may be mended (D48).
func (l *Loop) verdict(d haproxy.Config) []Refusal {
	if !l.refusing(d) || time.Since(l.refusedAt) >= cmp.Or(l.cfg.VerdictLife, verdictLife) {
		return nil
	}
	return l.refused
}

// refusing reports whether the last thing that HAProxy refused is this.
func (l *Loop) refusing(d haproxy.Config) bool { return len(l.refused) > 0 && l.refusedOf.Equal(d) }

// refuse remembers a verdict and keeps the text that it is about.
func (l *Loop) refuse(d haproxy.Config, refused []Refusal) {
	l.refusedOf, l.refused, l.refusedAt = d, refused, time.Now()
	l.keepRefused(d.Text())
}

// refusals turns alerts about a file into refusals. Alerts without a place in it
// count only when they name a section; the rest are summaries. A place in another
// file, such as a map, says nothing about lines of the text.
func refusals(messages []process.Message, file string, c haproxy.Config) []Refusal {
	var out []Refusal
	for _, m := range messages {
		if m.Level != "ALERT" {
			continue
		}
		if m.Line > 0 && m.File == file {
			r := Refusal{Line: m.Line, Message: withoutPlace(firstLine(m.Text), m)}
			if s, ok := c.SectionAt(m.Line); ok {
				r.Section = strings.TrimSpace(s.Key())
			}
			out = append(out, r)
			continue
		}
		for _, name := range m.Proxies {
			for _, s := range c.Sections.All() {
				if s.Name == name {
					out = append(out, Refusal{Section: s.Key(), Message: firstLine(m.Text)})
				}
			}
		}
	}
	return out
}

// withoutPlace takes the names of candidates out of a message: they are those of
// copies that nobody can look at any more.
func withoutPlace(text string, m process.Message) string {
	place := "[" + m.File + ":" + strconv.Itoa(m.Line) + "]"
	text = strings.TrimPrefix(text, "parsing "+place+" : ")
	text = strings.ReplaceAll(strings.ReplaceAll(text, place, "line "+strconv.Itoa(m.Line)), m.File, "the file")
	return strings.ReplaceAll(text, candidateSuffix, "")
}

func errRefused(refused []Refusal) error {
	return fmt.Errorf("haproxy refuses the configuration: %s", refused[0].Message)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
