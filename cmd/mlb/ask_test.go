package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestQuestionsToARunningInstance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nobody := "mlb: no mlb seems to run here, nobody listens at " + dir + "/mlb.sock (--socket-dir)\n"
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
		"nobody there is a failure":   {[]string{"mlb", "reload", "--socket-dir", dir}, 1, "", nobody},
		"nor has it anything held":    {[]string{"mlb", "release", "--socket-dir", dir}, 1, "", nobody},
		"nobody there is not healthy": {[]string{"mlb", "health", "--socket-dir", dir}, 1, "", nobody},
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

// A socket outlives an mlb that was killed; one that refuses this user, or does not
// answer, is no sign that mlb is down.
func TestAQuestionWithoutAnAnswerNamesTheSocketOnce(t *testing.T) {
	t.Parallel()
	dial := func(cause error) error {
		return &url.Error{Op: "Get", URL: "http://mlb/_mlb/live", Err: &net.OpError{
			Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: "/run/mlb.sock", Net: "unix"}, Err: os.NewSyscallError("connect", cause),
		}}
	}
	for want, err := range map[string]error{
		"no mlb seems to run here, nobody listens at /run/mlb.sock (--socket-dir)": dial(syscall.ECONNREFUSED),
		"ask mlb at /run/mlb.sock: connect: permission denied":                     dial(syscall.EACCES),
		"ask mlb at /run/mlb.sock: context deadline exceeded":                      &url.Error{Op: "Get", URL: "http://mlb/", Err: context.DeadlineExceeded},
	} {
		if got := unanswered("/run/mlb.sock", err).Error(); got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	}
}

func TestARefusalIsSaidOnce(t *testing.T) {
	t.Parallel()
	for rule, tt := range map[string]struct {
		contentType, body string
		status            int
		stdout, stderr    string
	}{
		"a good answer is the output":         {"text/plain", "It will.\n", http.StatusAccepted, "It will.\n", ""},
		"a refusal in words is the error":     {"text/plain", "Nothing is held back.\n", http.StatusConflict, "", "mlb: Nothing is held back.\n"},
		"one for programs is output, and bad": {"application/json", "{}\n", http.StatusServiceUnavailable, "{}\n", "mlb: /_mlb/release answered 503 Service Unavailable\n"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var lc net.ListenConfig
			socket, err := lc.Listen(t.Context(), "unix", filepath.Join(dir, "mlb.sock"))
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			_ = server.Listener.Close()
			server.Listener = socket
			server.Start()
			defer server.Close()
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), []string{"mlb", "release", "--socket-dir", dir}, nil, &stdout, &stderr)
			if (status == 0) != (tt.stderr == "") || stdout.String() != tt.stdout || stderr.String() != tt.stderr {
				t.Errorf("status %d, output %q, errors %q", status, &stdout, &stderr)
			}
		})
	}
}
