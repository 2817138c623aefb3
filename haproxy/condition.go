package haproxy

import (
	"slices"
	"strings"
)

// Conditioned ties the rules of a text to an ACL: each line but acl ones is carried
// out only where the named ACL holds too. Comments and empty lines are dropped. It
// fails with ErrQuote, or ErrConfined for a line whose condition cannot be found or
// begins with unless.
func Conditioned(text, acl string) (string, error) {
	lines, err := confinedLines(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, l := range lines {
		words := l.words
		if words[0] != "acl" {
			if words, err = conditioned(words, acl); err != nil {
				return "", err
			}
		}
		b.WriteString("  " + joinWords(words) + "\n")
	}
	return b.String(), nil
}

func conditioned(words []string, acl string) ([]string, error) {
	at := min(2, len(words))
	if words[0] != "use_backend" {
		var c confinement
		condition, err := c.rule(words)
		if err != nil {
			return nil, err
		}
		at = len(words) - len(condition)
	}
	rule, condition := words[:at], words[at:]
	switch {
	case len(condition) == 0:
		return slices.Concat(rule, []string{"if", acl}), nil
	case condition[0] != "if":
		return nil, refuse("%q (wanted: if)", condition[0])
	}
	out := slices.Concat(rule, []string{"if", acl})
	for _, w := range condition[1:] {
		out = append(out, w)
		if isOr(strings.TrimLeft(w, "!")) {
			out = append(out, acl)
		}
	}
	return out, nil
}
