package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"
)

// load is Load for "mlb once --group g" and the given further words.
func load(t *testing.T, environ []string, args ...string) Config {
	t.Helper()
	cfg, err := Load(append([]string{"mlb", "once", "--group", "g"}, args...), environ)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// loadContainer is Load for "run sse --group g" and the given further words.
func loadContainer(t *testing.T, environ []string, args ...string) Config {
	t.Helper()
	cfg, err := Load(append([]string{"/marathon-lb/run", "sse", "--group", "g"}, args...), append([]string{"PORTS=9090"}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// startError is the error that Load must return.
func startError(t *testing.T, args, environ []string) *StartError {
	t.Helper()
	cfg, err := Load(args, environ)
	start, ok := errors.AsType[*StartError](err)
	if !ok {
		t.Fatalf("Load(%q) = mode %s, %v; want a StartError", args, cfg.Mode, err)
	}
	return start
}

func TestLoadTutorial(t *testing.T) {
	t.Parallel()
	got, err := Load([]string{
		"mlb", "sse", "-m", "http://192.168.71.167:8080", "-m", "http://192.168.71.168:8080", "-m", "http://192.168.71.169:8080",
		"--health-check", "--group", "internal",
	}, []string{"PORTS=9090"})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Mode: ModeSSE, Container: true,
		Marathon:   []string{"http://192.168.71.167:8080", "http://192.168.71.168:8080", "http://192.168.71.169:8080"},
		MaxBackoff: 300 * time.Second, ResyncInterval: 300 * time.Second, MaxRemoval: 50, RemovalConfirmations: 3, PollInterval: time.Minute,
		Groups: []string{"internal"}, HealthCheck: true,
		MinServicePort: 10050, MaxServicePort: 10100, LRUCacheCapacity: 1000, EmptyServiceTimeout: 10 * time.Minute,
		TemplateLabels: AppList{"*"},
		HTTP:           BindAddress{"*", 80}, HTTPS: BindAddress{"*", 443}, AppID: BindAddress{"*", 9091}, Stats: BindAddress{"*", 9090},
		BindAddress:   "*",
		Certificates:  Certificates{List: []string{"/etc/ssl/cert.pem"}, SelfSigned: "/etc/ssl/cert.pem"},
		HAProxyBinary: "haproxy", MaxReloadRetries: 10, ReloadInterval: 10 * time.Second,
		MinReloadInterval: time.Second, StopTimeout: 10 * time.Second,
		DefaultOptions: []string{"dontlognull", "http-server-close", "redispatch"},
		Templates:      map[string]string{},
		HAProxyConfig:  "/marathon-lb/haproxy.cfg",
		StateDir:       "/var/lib/mlb", ServerStateDir: "/var/state/haproxy", SocketDir: "/var/run/haproxy",
		ArchiveVersions: 5,
		Sysctls:         []string{},
		Log:             Logging{Level: zapcore.DebugLevel, Encoding: "text", Format: "%(asctime)-15s %(name)s: %(message)s"},
	}
	got.Settings = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.HAProxyDir() != "/marathon-lb" {
		t.Errorf("HAProxyDir() = %q", got.HAProxyDir())
	}
}

func TestLoadForms(t *testing.T) {
	t.Parallel()
	cases := []struct {
		rule      string
		args      []string
		mode      Mode
		container bool
		config    string
	}{
		{"the container's entry point takes the mode", []string{"/marathon-lb/run", "poll", "--group", "g"}, ModePoll, true, "/marathon-lb/haproxy.cfg"},
		{"mlb sse is the container form", []string{"mlb", "sse", "--group", "g"}, ModeSSE, true, "/marathon-lb/haproxy.cfg"},
		{"mlb poll is the container form", []string{"mlb", "poll", "--group", "g"}, ModePoll, true, "/marathon-lb/haproxy.cfg"},
		{"a user's --sse beats poll", []string{"mlb", "poll", "--group", "g", "--sse"}, ModeSSE, true, "/marathon-lb/haproxy.cfg"},
		{"the updater's old name is one pass", []string{"/marathon-lb/marathon_lb.py", "--group", "g"}, ModeOnce, false, "/etc/haproxy/haproxy.cfg"},
		{"with --sse it stays", []string{"marathon_lb.py", "--group", "g", "-s"}, ModeSSE, false, "/etc/haproxy/haproxy.cfg"},
		{"flags alone are the updater", []string{"mlb", "--group", "g"}, ModeOnce, false, "/etc/haproxy/haproxy.cfg"},
		{"mlb once is the updater", []string{"mlb", "once", "--group", "g"}, ModeOnce, false, "/etc/haproxy/haproxy.cfg"},
		{"mlb render prints", []string{"mlb", "render", "--group", "g"}, ModeRender, false, "/etc/haproxy/haproxy.cfg"},
		{"--dry prints and ends, with --sse too", []string{"mlb", "--group", "g", "-sd"}, ModeRender, false, "/etc/haproxy/haproxy.cfg"},
		{"the container's default can be moved", []string{"mlb", "sse", "--group", "g", "--haproxy-config", "/x/y"}, ModeSSE, true, "/x/y"},
		{"the reload script's name", []string{"/marathon-lb/reload_haproxy.sh"}, ModeReload, false, ""},
		{"help needs nothing else", []string{"mlb", "sse", "-h"}, ModeHelp, true, ""},
		{"the manual needs no group", []string{"marathon_lb.py", "--longhelp"}, ModeLongHelp, false, ""},
		{"help is a word too", []string{"mlb", "help"}, ModeHelp, false, ""},
		{"version needs nothing else", []string{"mlb", "version"}, ModeVersion, false, ""},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			got, err := Load(c.args, []string{"PORTS=9090"})
			if err != nil {
				t.Fatal(err)
			}
			want := []any{c.mode, c.container, c.config}
			if diff := cmp.Diff(want, []any{got.Mode, got.Container, got.HAProxyConfig}); diff != "" {
				t.Errorf("Load(%q) (-want +got):\n%s", c.args, diff)
			}
		})
	}
}

func TestLoadLeavesOtherCommandsTheirFlags(t *testing.T) {
	t.Parallel()
	got, err := Load([]string{"mlb", "demo", "--keep", "x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Config{Mode: ModeDemo, Args: []string{"--keep", "x"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadMistakes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		rule    string
		args    []string
		environ []string
		status  int
		usage   bool
		says    []string
	}{
		{"the container form needs PORTS", []string{"mlb", "sse", "--group", "g"}, nil, 1, false, []string{"PORTS is not set"}},
		{"empty PORTS are none", []string{"run", "sse", "--group", "g"}, []string{"PORTS="}, 1, false, []string{"PORTS is not set"}},
		{"PORTS come first", []string{"run", "sse"}, nil, 1, true, []string{"PORTS is not set", "--group is required"}},
		{"the entry point needs a mode", []string{"run"}, []string{"PORTS=1"}, 1, false, []string{"sse or poll"}},
		{"the entry point knows two modes", []string{"run", "demo"}, []string{"PORTS=1"}, 1, false, []string{"sse or poll"}},
		{"an unknown command", []string{"mlb", "serve"}, nil, 2, true, []string{`unknown command "serve"`}},
		{"there is no deployment tool yet", []string{"zdd.py", "--help"}, nil, 2, false, []string{"zdd.py: this version has no deployment tool"}},
		{"nor under its older name", []string{"/marathon-lb/bluegreen_deploy.py"}, nil, 2, false, []string{"bluegreen_deploy.py: this version has no deployment tool"}},
		{"a group is required", []string{"mlb"}, nil, 2, true, []string{"--group is required"}},
		{"unknown flag", []string{"mlb", "--group", "g", "--no-such-flag"}, nil, 2, true, []string{"unknown flag: --no-such-flag"}},
		{"stray word", []string{"mlb", "--group", "g", "x"}, nil, 2, true, []string{`unexpected word "x"`}},
		{"missing value", []string{"mlb", "--group", "g", "-c"}, nil, 2, true, []string{"--command needs a value"}},
		{"missing value before a flag", []string{"mlb", "-m", "--group", "g"}, nil, 2, true, []string{"--marathon needs a value"}},
		{"wrong type", []string{"mlb", "--group", "g", "--max-backoff", "x"}, nil, 2, true, []string{"--max-backoff: neither whole seconds nor a duration"}},
		{"a fraction is no number of seconds", []string{"mlb", "--group", "g", "--max-backoff", "1.5"}, nil, 2, true, []string{"--max-backoff"}},
		{"no negative duration", []string{"mlb", "--group", "g", "--drain-timeout=-3s"}, nil, 2, true, []string{"--drain-timeout: must not be negative"}},
		{"HAProxy counts in milliseconds", []string{"mlb", "--group", "g", "--hard-stop-after=500us"}, nil, 2, true, []string{"--hard-stop-after: must be at least 1ms"}},
		{"HAProxy's times end", []string{"mlb", "--group", "g", "--hard-stop-after=2147483648ms"}, nil, 2, true, []string{"--hard-stop-after: must be at most 24 days"}},
		{"never fetching all apps is no choice", []string{"mlb", "--group", "g", "--resync-interval=0"}, nil, 2, true, []string{"--resync-interval: must not be zero"}},
		{"no empty file name", []string{"mlb", "--group", "g", "--haproxy-config="}, nil, 2, true, []string{"--haproxy-config: must not be empty"}},
		{"unknown encoding", []string{"mlb", "--group", "g", "--log-encoding=xml"}, nil, 2, true, []string{"--log-encoding: want one of text, json"}},
		{"unknown log level", []string{"mlb", "--group", "g", "--log-level=LOUD"}, nil, 1, false, []string{`"LOUD" is none of CRITICAL`}},
		{"a level's other names are none", []string{"mlb", "--group", "g", "--log-level=WARN"}, nil, 1, false, []string{"WARN"}},
		{"credentials need a colon", []string{"mlb", "--group", "g", "--auth-credentials", "joe"}, nil, 1, false, []string{"--auth-credentials: want user:pass"}},
		{"one port of the range 0", []string{"mlb", "--group", "g", "--min-serv-port-ip-per-task", "0"}, nil, 2, false, []string{"both must be 0"}},
		{"range upside down", []string{"mlb", "--group", "g", "--max-serv-port-ip-per-task", "10049"}, nil, 2, false, []string{"10050, is above the last, 10049"}},
		{"range beyond the last port", []string{"mlb", "--group", "g", "--max-serv-port-ip-per-task", "65536"}, nil, 2, false, []string{"no port 65536"}},
		{"two listeners in one place", []string{"mlb", "--group", "g", "--stats-bind", "127.0.0.1:80"}, nil, 2, false, []string{"--http-bind *:80 and --stats-bind 127.0.0.1:80 are the same place"}},
		{"Marathon needs a scheme", []string{"mlb", "--group", "g", "-m", "master:8080"}, nil, 2, false, []string{`"master:8080" is not http://HOST`}},
		{"Marathon needs a host", []string{"mlb", "--group", "g", "-m", "http://:8080"}, nil, 2, false, []string{"is not http://HOST"}},
		{"a comma does not split", []string{"mlb", "--group", "g", "-m", "http://a:1,http://b:2"}, nil, 2, false, []string{"--marathon"}},
		{"no query", []string{"mlb", "--group", "g", "-m", "http://a/?x=1"}, nil, 2, false, []string{"neither query nor fragment"}},
		{"no port above the last", []string{"mlb", "--group", "g", "-m", "http://a:65536"}, nil, 2, false, []string{"no valid port"}},
		{"different credentials in URLs", []string{"mlb", "--group", "g", "-m", "http://a:b@c", "http://d:e@f"}, nil, 2, false, []string{"different credentials"}},
		{"a socket of somebody else's HAProxy beside one's own", []string{"mlb", "sse", "--group", "g", "--runtime-socket", "/x"}, []string{"PORTS=1"}, 2, false, []string{"--runtime-socket is for"}},
		{"a service account lacks a member", []string{"mlb", "--group", "g", "--dcos-auth-credentials", `{"uid":""}`}, nil, 1, false, []string{"--dcos-auth-credentials: uid is missing"}},
		{"its variable is named", []string{"mlb", "--group", "g"}, []string{"DCOS_SERVICE_ACCOUNT_CREDENTIAL={}"}, 1, false, []string{"DCOS_SERVICE_ACCOUNT_CREDENTIAL: uid"}},
		{"Vault's address is no URL", []string{"run", "sse", "--group", "g"}, []string{"PORTS=1", "VAULT_TOKEN=t", "VAULT_URL=vault:1/x"}, 1, false, []string{"VAULT_URL: \"vault:1/x\" is not http"}},
		{"Vault's port is no number", []string{"run", "sse", "--group", "g"}, []string{"PORTS=1", "VAULT_TOKEN=t", "VAULT_HOST=h", "VAULT_PORT=p", "VAULT_PATH=x"}, 1, false, []string{"VAULT_HOST, VAULT_PORT and VAULT_PATH"}},
		{"what a switch's variable may be is named", []string{"mlb", "--group", "g"}, []string{"MLB_PODS=maybe"}, 2, false, []string{`MLB_PODS: want true or false, got "maybe"`}},
		{"a wrong number is named", []string{"mlb", "--group", "g", "--max-removal=101"}, nil, 2, true, []string{`--max-removal: must be at most 100, got "101"`}},
		{"at least one confirmation", []string{"mlb", "--group", "g", "--removal-confirmations=0"}, nil, 2, true, []string{`--removal-confirmations: must be at least 1, got "0"`}},
		{"a password that stands in a wrong place is not shown", []string{"mlb", "--group", "g", "--marathon-server-name=http://u:p@h"}, nil, 2, true, []string{`without a port, got "http://h"`}},
		{"the variable of clusters is named", []string{"mlb", "--group", "g"}, []string{"MLB_MARATHON_CLUSTER=east"}, 2, false, []string{`MLB_MARATHON_CLUSTER: "east" is not NAME=URL,URL`}},
		{"a wrong variable is named", []string{"mlb", "--group", "g"}, []string{"MLB_STOP_TIMEOUT=soon"}, 2, false, []string{"MLB_STOP_TIMEOUT: neither"}},
		{
			"all mistakes at once",
			[]string{"mlb", "--max", "3", "--log-level", "x", "--auth-credentials", "y", "-m", "ftp://z", "--max-backoff", "w"},
			nil, 2, true,
			[]string{"--max is ambiguous", "--log-level", "--auth-credentials", "--marathon", "--max-backoff", "--group is required"},
		},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			got := startError(t, c.args, c.environ)
			if got.ExitStatus() != c.status || exitCode(got) != c.status {
				t.Errorf("exit status %d, want %d:\n%s", got.ExitStatus(), c.status, got)
			}
			if (got.Usage != "") != c.usage {
				t.Errorf("usage shown: %v, want %v", got.Usage != "", c.usage)
			}
			for _, says := range c.says {
				if !strings.Contains(got.Error(), says) || !strings.Contains(got.Message(), says) {
					t.Errorf("message lacks %q:\n%s", says, got.Message())
				}
			}
			if len(got.Mistakes) != len(c.says) {
				t.Errorf("%d mistakes, want %d:\n%s", len(got.Mistakes), len(c.says), got)
			}
		})
	}
}
