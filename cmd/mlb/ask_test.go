package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestQuestionsToARunningInstance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for rule, tt := range map[string]struct {
		args   []string
		status int
		stdout string
		stderr string
	}{
		"help is no mistake":          {[]string{"mlb", "health", "--help"}, 0, "usage: mlb health", ""},
		"so it is of templates":       {[]string{"mlb", "templates", "--help"}, 0, "usage: mlb templates [FLAGS] [TEMPLATE ...]\n", ""},
		"and of the demo":             {[]string{"mlb", "demo", "-h"}, 0, "usage: mlb demo [FLAGS]\n", ""},
		"a flag that there is not":    {[]string{"mlb", "templates", "--nope"}, 2, "", "mlb templates: unknown flag: --nope"},
		"the script's help is its":    {[]string{"reload_haproxy.sh", "-h"}, 0, "usage: mlb reload", ""},
		"a stray word is one":         {[]string{"mlb", "reload", "now"}, 2, "", `unexpected word "now"`},
		"an unknown flag is one":      {[]string{"mlb", "reload", "--nope"}, 2, "", "unknown flag: --nope"},
		"nobody there is a failure":   {[]string{"mlb", "reload", "--socket-dir", dir}, 1, "", "ask mlb"},
		"nobody there is not healthy": {[]string{"mlb", "health", "--socket-dir", dir}, 1, "", "ask mlb"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), tt.args, nil, &stdout, &stderr)
			if status != tt.status || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("status %d, output %q, errors %q", status, &stdout, &stderr)
			}
		})
	}
}
