package main

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"
)

func TestLoadPrecedence(t *testing.T) {
	t.Parallel()
	stop := func(c Config) any { return c.StopTimeout }
	poll := func(c Config) any { return c.PollInterval }
	syslog := func(c Config) any { return c.Log.SyslogSocket }
	cases := []struct {
		rule    string
		load    func(*testing.T, []string, ...string) Config
		environ []string
		args    []string
		field   func(Config) any
		want    any
	}{
		{"the default", load, nil, nil, stop, 10 * time.Second},
		{"the environment beats it", load, []string{"MLB_STOP_TIMEOUT=5"}, nil, stop, 5 * time.Second},
		{"an empty variable does not", load, []string{"MLB_STOP_TIMEOUT="}, nil, stop, 10 * time.Second},
		{"the first of two entries counts", load, []string{"MLB_STOP_TIMEOUT=5", "MLB_STOP_TIMEOUT=6"}, nil, stop, 5 * time.Second},
		{"a flag beats both", load, []string{"MLB_STOP_TIMEOUT=5"}, []string{"--stop-timeout", "1m30s"}, stop, 90 * time.Second},
		{"a flag hides a wrong variable", load, []string{"MLB_STOP_TIMEOUT=soon"}, []string{"--stop-timeout=0"}, stop, time.Duration(0)},
		{"the last of repeated flags wins", load, nil, []string{"--stop-timeout=1", "--stop-timeout=2"}, stop, 2 * time.Second},
		{"POLL_INTERVAL is the container's", loadContainer, []string{"POLL_INTERVAL=1.5m"}, nil, poll, 90 * time.Second},
		{"it takes what sleep takes", loadContainer, []string{"POLL_INTERVAL=1m 0.5"}, nil, poll, 60*time.Second + 500*time.Millisecond},
		{"even for ever", loadContainer, []string{"POLL_INTERVAL=infinity"}, nil, poll, time.Duration(math.MaxInt64)},
		{"POLL_INTERVAL is only the container's", load, []string{"POLL_INTERVAL=2"}, nil, poll, time.Minute},
		{"the container has no syslog", loadContainer, nil, nil, syslog, ""},
		{"SYSLOG_SOCKET gives it one", loadContainer, []string{"SYSLOG_SOCKET=/s"}, nil, syslog, "/s"},
		{"the updater has syslog", load, []string{"SYSLOG_SOCKET=/s"}, nil, syslog, "/dev/log"},
		{"/dev/null means none", load, nil, []string{"--syslog-socket=/dev/null"}, syslog, ""},
		{"a level in any case", load, nil, []string{"--log-level=wArNiNg"}, func(c Config) any { return c.Log.Level }, zapcore.WarnLevel},
		{"both ports 0 switch assignment off", load, nil, []string{"--min-serv=0", "--max-serv=0"}, func(c Config) any { return c.MaxServicePort }, 0},
		{"numbers may have a sign and blanks", load, nil, []string{"--max-reload-retries", " +7 "}, func(c Config) any { return c.MaxReloadRetries }, 7},
		{"a negative number", load, nil, []string{"--max-reload-retries", "-1"}, func(c Config) any { return c.MaxReloadRetries }, -1},
		{"default options are trimmed, sorted, once each", load, []string{"HAPROXY_GLOBAL_DEFAULT_OPTIONS= b, a,,b"}, nil, func(c Config) any { return c.DefaultOptions }, []string{"a", "b"}},
		{"no default options is a choice", load, []string{"HAPROXY_GLOBAL_DEFAULT_OPTIONS="}, nil, func(c Config) any { return len(c.DefaultOptions) }, 0},
		{"templates come from the environment", load, []string{"HAPROXY_HEAD=global\n", "HAPROXY_BACKEND_HEAD=", "HAPROXY_SSL_CERT3=x", "HAPROXY_SYSLOGD="}, nil, func(c Config) any { return c.Templates }, map[string]string{"HEAD": "global\n"}},
		{"the balancer's own app", load, []string{"FRAMEWORK_NAME=lb"}, nil, func(c Config) any { return c.FrameworkName }, "lb"},
		{"the sandbox", loadContainer, []string{"MESOS_SANDBOX=/box"}, nil, func(c Config) any { return c.SandboxTemplates }, "/box/templates"},
		{"groups keep their order, once each", load, nil, []string{"--group=b", "--group=", "--group=g"}, func(c Config) any { return c.Groups }, []string{"g", "b", ""}},
		{"addresses take IPv6", load, nil, []string{"--http-bind=[::1]:8080"}, func(c Config) any { return c.HTTP.String() }, "[::1]:8080"},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, c.field(c.load(t, c.environ, c.args...))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
