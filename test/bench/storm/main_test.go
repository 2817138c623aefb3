package main

import (
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mlb/test/haproxytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		good bool
	}{
		"nothing":       {nil, true},
		"no apps":       {[]string{"-apps", "0"}, false},
		"too many apps": {[]string{"-apps", "3001"}, false},
		"no events":     {[]string{"-events", "0"}, false},
		"no time":       {[]string{"-length", "0s"}, false},
		"words":         {[]string{"now"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(tt.args, io.Discard); (err == nil) != tt.good {
				t.Errorf("error %v", err)
			}
		})
	}
}

// All of it with a few apps.
func TestBreeze(t *testing.T) {
	t.Parallel()
	var out, said strings.Builder
	err := run(t.Context(), []string{"-apps", "10", "-events", "60", "-length", "300ms", "-haproxy", haproxytest.Binary(t)}, &out, &said)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	for _, want := range []string{"one at a time", "workers", "exact"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, out.String())
		}
	}
}
