package haproxy_test

import (
	"testing"

	"mlb/haproxy"
)

func TestHardStopIsThatOfGlobal(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct{ text, want string }{
		"none is no limit":          {"global\n  maxconn 10\n", ""},
		"no text":                   {"", ""},
		"as it stands":              {"global\n\thard-stop-after 90s # a comment\ndefaults\n", "90s"},
		"the last one counts":       {"global\n  hard-stop-after 1m\ndefaults\n  mode tcp\nglobal\n  hard-stop-after '2m'\n", "2m"},
		"a comment is none":         {"global\n  # hard-stop-after 1m\n", ""},
		"another section has none":  {"global\ndefaults\n  hard-stop-after 1m\nbackend global\n  hard-stop-after 1m\n", ""},
		"without a value it's none": {"global\n  hard-stop-after\n", ""},
		"a head with a comment":     {"global # of mine\n  hard-stop-after 1m", "1m"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			if got := haproxy.Parse(c.text).HardStop(); got != c.want {
				t.Errorf("limit %q, want %q", got, c.want)
			}
		})
	}
}
