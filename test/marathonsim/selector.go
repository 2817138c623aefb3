package marathonsim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// selector decides whether labels are wanted.
type selector func(labels map[string]string) bool

// term is what keys and values may consist of; other characters are escaped with
// a backslash.
const term = `((?:[A-Za-z0-9._-]|\\.)+)`

// parseSelectors reads selectors joined by commas, all of which must match:
// "key", "key==v", "key!=v", "key in (a, b)", "key notin (a, b)". Every form
// needs the key to exist.
func parseSelectors(s string) (selector, error) {
	grammar := regexp.MustCompile(`^\s*` + term + `(?:\s*(==|!=)\s*` + term + `|\s+(in|notin)\s*\(([^)]*)\))?\s*(?:,|$)`)
	var all []selector
	for rest := s; rest != ""; {
		m := grammar.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("label selector %q cannot be read at %q", s, rest)
		}
		rest = rest[len(m[0]):]
		key, values := unescape(m[1]), []string{unescape(m[3])}
		if m[4] != "" {
			values = nil
			for v := range strings.SplitSeq(m[5], ",") {
				values = append(values, unescape(strings.TrimSpace(v)))
			}
		}
		op := m[2] + m[4]
		all = append(all, func(labels map[string]string) bool {
			value, ok := labels[key]
			switch op {
			case "==", "in":
				return ok && slices.Contains(values, value)
			case "!=", "notin":
				return ok && !slices.Contains(values, value)
			}
			return ok
		})
	}
	return func(labels map[string]string) bool {
		return !slices.ContainsFunc(all, func(one selector) bool { return !one(labels) })
	}, nil
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
