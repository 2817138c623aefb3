package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestAPrintingThatFailsSaysOnceWhat(t *testing.T) {
	t.Parallel()
	// Nobody listens on port 1.
	for want, args := range map[string][]string{
		"mlb: get apps: http://127.0.0.1:1: ":               {"-m", "http://127.0.0.1:1"},
		"mlb: cluster east: get apps: http://127.0.0.1:1: ": {"--marathon-cluster", "east=http://127.0.0.1:1"},
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), append([]string{"mlb", "render", "--group", "g", "--haproxy-binary", "/nonexistent/haproxy"}, args...), nil, &stdout, &stderr)
		if status != exitFailure || stdout.Len() > 0 || !strings.Contains(stderr.String(), "\n"+want) {
			t.Errorf("status %d, output %q, errors %q, want %q", status, &stdout, &stderr, want)
		}
	}
}
