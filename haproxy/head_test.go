package haproxy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mlb/haproxy"
	"mlb/test/haproxytest"
)

func TestD38OnlyADaemonDirectiveIsRefused(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct {
		head string
		want error
	}{
		"the directive":               {"global\n  maxconn 5\n\tdaemon\n", haproxy.ErrDaemon},
		"the directive in quotes":     {"global\n  'daemon'\n", haproxy.ErrDaemon},
		"the word in a comment":       {"global\n  # no daemon here\n  maxconn 5 # daemon\n", nil},
		"the word as an argument":     {"global\n  log /dev/log daemon\n", nil},
		"the word in a name":          {"listen daemon\n", nil},
		"no expose-fd listeners":      {"global\n  stats socket /run/s\n", nil},
		"a quote that is not closed":  {"global\n  log \"x\n", haproxy.ErrQuote},
		"an empty head":               {"", nil},
		"processes":                   {"global\n  nbproc 4\n", haproxy.ErrRemoved},
		"processes in other versions": {"global\n  stats bind-process 1\n", nil},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			if err := haproxy.CheckHead(c.head, haproxy.Version{Major: 2, Minor: 6}); !errors.Is(err, c.want) {
				t.Errorf("CheckHead = %v, want %v", err, c.want)
			}
		})
	}
}

func TestD38EveryMistakeOfAHeadIsReported(t *testing.T) {
	t.Parallel()
	err := haproxy.CheckHead("global\n daemon\n nbproc 2\ndefaults\n option forceclose\n rspadd X:\\ y\n", haproxy.Version{Major: 3})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"line 2: ", "line 3: nbproc", "line 5: option forceclose", "use option httpclose", "line 6: rspadd", "http-response add-header"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
}

func TestD28ADirectiveCountsAsGoneFromItsVersionOn(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"frontend f\n  bind :1 process 1\n", "  bind-process 1\n", "global\n stats socket /run/s process 1\n"} {
		if err := haproxy.CheckTemplate(text, haproxy.Version{Major: 2, Minor: 6}); err != nil {
			t.Errorf("%q in 2.6: %v", text, err)
		}
		if err := haproxy.CheckTemplate(text, haproxy.Version{Major: 3, Minor: 2}); !errors.Is(err, haproxy.ErrRemoved) {
			t.Errorf("%q in 3.2: %v", text, err)
		}
	}
	if err := haproxy.CheckTemplate("  daemon\n", haproxy.Version{}); err != nil {
		t.Errorf("another template: %v", err)
	}
}

// What is called gone is refused by HAProxy, so no working text is turned down.
func TestD28HAProxyRefusesWhatIsGone(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"reqadd x", "reqirep a b", "reqidel a", "reqitarpit a", "reqideny a", "reqiallow a", "reqipass a", "reqsetbe a b",
		"rspadd x", "rspirep a b", "rspidel a", "rspideny a", "cliexp a b", "srvexp a b", "block if TRUE",
		"appsession a len 2 timeout 1s", "redispatch", "contimeout 1s", "clitimeout 1s", "srvtimeout 1s",
		"monitor-net 192.0.2.1", "mode health", "grace 1s", "option forceclose", "option http-tunnel",
		"option http_proxy", "option http-use-htx",
		"option independant-streams", //nolint:misspell // so it was called.
	} {
		if err := haproxy.CheckTemplate(line, haproxy.Version{}); !errors.Is(err, haproxy.ErrRemoved) {
			t.Errorf("%s: %v", line, err)
		}
		if loads(t, shell+"frontend f\n  mode http\n  bind 127.0.0.1:7\n  "+line+"\n  default_backend b\nbackend b\n  mode http\n") {
			t.Errorf("haproxy takes %s", line)
		}
	}
	for _, line := range []string{"nbproc 1", "tune.chksize 1024", "debug"} {
		if err := haproxy.CheckHead("global\n"+line, haproxy.Version{}); !errors.Is(err, haproxy.ErrRemoved) {
			t.Errorf("%s: %v", line, err)
		}
		if loads(t, "global\n  "+line+"\n"+shell) {
			t.Errorf("haproxy takes %s", line)
		}
	}
}

// A HEAD as people wrote it for HAProxy 1.8 and 2.0, with Lua services of their own.
func TestD38AHeadForHAProxy20Works(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "pids.lua")
	if err := os.WriteFile(script, []byte("core.register_service('pids', 'http', function(applet) end)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	head := `global
  # started by a supervisor, so never as a daemon
  log 127.0.0.1 local0
  log 127.0.0.1 local1 notice
  spread-checks 5
  max-spread-checks 15000
  maxconn 500
  tune.ssl.default-dh-param 2048
  ssl-default-bind-options no-sslv3 no-tlsv10 no-tls-tickets
  ssl-default-server-options no-sslv3 no-tlsv10 no-tls-tickets
  stats socket ` + dir + `/socket expose-fd listeners
  server-state-base ` + dir + `
  server-state-file global
  lua-load ` + script + `
defaults
  load-server-state-from-file global
  log global
  retries 3
  timeout connect 3s
  timeout client 30s
  timeout server 30s
  timeout tunnel 3600s
  option redispatch
  option http-server-close
  option dontlognull
  option httpclose
listen stats
  bind 127.0.0.1:7
  mode http
  balance
  stats enable
  monitor-uri /_haproxy_health_check
  acl pids path /pids
  http-request use-service lua.pids if pids
`
	if err := haproxy.CheckHead(head, haproxy.Version{Major: 3, Minor: 2}); err != nil {
		t.Fatal(err)
	}
	if out, ok := checked(t, head); !ok {
		t.Errorf("haproxy refuses it:\n%s", out)
	}
}

// shell is what any configuration needs to be taken without complaints.
const shell = "defaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"

func loads(t *testing.T, config string) bool {
	t.Helper()
	_, ok := checked(t, config)
	return ok
}

// checked returns what haproxy -c says about a configuration.
func checked(t *testing.T, config string) (string, bool) {
	t.Helper()
	binary := haproxytest.Binary(t)
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "-c", "-f", file).CombinedOutput()
	return string(out), err == nil
}

func FuzzCheckHead(f *testing.F) {
	f.Add("global\n daemon\n")
	f.Add("bind :1 process 1\nstats socket x process")
	f.Fuzz(func(t *testing.T, text string) {
		err := haproxy.CheckTemplate(text, haproxy.Version{})
		if head := haproxy.CheckHead(text, haproxy.Version{}); err != nil && head == nil {
			t.Errorf("%q: a head may hold what other templates may not: %v", text, err)
		}
	})
}
