package e2e_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"mlb/test/balancer"
	"mlb/test/haproxytest"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

func TestStartWithoutMarathonWaitsForIt(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	start := stopMasters(t, c)
	b := newBalancer(t, "external", c.Masters())
	b.Start(t)
	balancer.Eventually(t, "HAProxy runs without apps", func() error {
		_, err := b.Ask(t.Context(), "/_mlb/live")
		return err
	})
	if got := answerer(t.Context(), b.Web("web.example", "/")); !strings.HasPrefix(got, "503 ") {
		t.Errorf("port 8080 answers %s, want 503", got)
	}
	if err := ready(t, b); err == nil || !strings.Contains(err.Error(), "no answer from marathon yet") {
		t.Errorf("mlb health --ready: %v", err)
	}
	start()
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	balancer.Eventually(t, "mlb is ready", func() error { return ready(t, b) })
}

func TestRestartWithoutMarathonServesTheLastGoodConfiguration(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	b.Signal(t, syscall.SIGTERM)
	if status := b.Wait(t); status != 0 {
		t.Fatalf("status %d", status)
	}
	start := stopMasters(t, c)
	b.Start(t)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
	if err := ready(t, b); err == nil {
		t.Error("mlb calls itself ready")
	}
	start()
	simtest.Wait(t, c, "a leader", func() bool { return c.Leader() >= 0 })
	scale(t, c, "/web", 3)
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	balancer.Eventually(t, "mlb is ready", func() error { return ready(t, b) })
}

// A text that no app is to blame for keeps the last good configuration.
func TestStartWithARefusedTemplateServesTheLastGoodConfiguration(t *testing.T) {
	t.Parallel()
	c, b := serving(t)
	b.Signal(t, syscall.SIGTERM)
	b.Wait(t)
	scale(t, c, "/web", 3)
	b.Env = []string{"HAPROXY_HTTP_FRONTEND_HEAD=\nfrontend marathon_http_in\n  bind 127.0.0.1:8080\n  mode no-such-mode\n"}
	b.Start(t)
	balancer.Eventually(t, "the last good configuration serves", func() error {
		got := answerer(t.Context(), b.Port(10001, "/"))
		if strings.HasPrefix(got, "error: ") {
			return errors.New(got)
		}
		return nil
	})
	if err := ready(t, b); err == nil {
		t.Error("mlb calls itself ready")
	}
	b.Signal(t, syscall.SIGTERM)
	if status := b.Wait(t); status != 0 {
		t.Errorf("status %d", status)
	}
	b.Env = nil
	b.Start(t)
	exactly(t, c, "/web", 3, b.Port(10001, "/"))
	b.WaitReady(t)
}

// A listener of mlb's own that cannot be had is waited for.
func TestStartWaitsForAListenerThatIsHeld(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 2})
	b := newBalancer(t, "external", c.Masters())
	var lc net.ListenConfig
	holder, err := lc.Listen(t.Context(), "tcp4", b.Host+":9090")
	must(t, err)
	defer holder.Close() //nolint:errcheck // usually closed already
	b.Start(t)
	balancer.Eventually(t, "mlb says what is wrong", func() error {
		if text := b.Log(); !strings.Contains(text, b.Host+":9090: address already in use") {
			return errors.New("nothing")
		}
		return nil
	})
	must(t, holder.Close())
	b.WaitReady(t)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))
}

func TestMistakesOfTheCommandLineEndTheStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args   []string
		env    []string
		status int
		says   []string
	}{
		"unknown flag":          {args: []string{"sse", "--no-such-flag", "--group", "x"}, status: 2, says: []string{"usage:", "unknown flag: --no-such-flag"}},
		"several mistakes":      {args: []string{"sse", "--nope", "--max-backoff", "soon"}, status: 2, says: []string{"--nope", "--max-backoff"}},
		"no HAProxy":            {args: []string{"sse", "--group", "x", "--haproxy-binary", "/nonexistent/haproxy"}, status: 1, says: []string{"haproxy", "2.6"}},
		"HAProxy is not one":    {args: []string{"sse", "--group", "x", "--haproxy-binary", "/bin/true"}, status: 1, says: []string{"2.6"}},
		"no PORTS":              {args: []string{"sse", "--group", "x"}, env: []string{"PORTS="}, status: 1, says: []string{"PORTS"}},
		"unknown command":       {args: []string{"serve"}, status: 2, says: []string{"serve"}},
		"health without an mlb": {args: []string{"health", "--socket-dir", "/nonexistent"}, status: 1, says: []string{"no mlb seems to run here, nobody listens at /nonexistent/mlb.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBalancer(t, "x", nil)
			b.Env = tt.env
			cmd := b.Prepare(t.Context(), tt.args...)
			out, _ := cmd.CombinedOutput() // the status says it
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			for _, words := range tt.says {
				if !strings.Contains(strings.ToLower(string(out)), strings.ToLower(words)) {
					t.Errorf("%q does not say %q", out, words)
				}
			}
		})
	}
}

func TestD8RenderPrintsAndTouchesNothing(t *testing.T) {
	t.Parallel()
	for _, generation := range []marathonsim.Generation{marathonsim.V1_4, marathonsim.V1_9} {
		t.Run("generation "+string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation})
			deploy(t, c, app{id: "/web", port: 10001, instances: 2})
			b := newBalancer(t, "external", c.Masters())
			b.Mode = "render"
			cmd := b.Prepare(t.Context(), b.Line()...)
			out, err := cmd.Output()
			must(t, err)
			for _, want := range []string{"frontend web_10001", "bind " + b.Host + ":10001", "backend web_10001", "  server "} {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
			entries, err := os.ReadDir(b.Dir)
			must(t, err)
			if len(entries) > 0 {
				t.Errorf("files were made: %v", entries)
			}
			if haproxytest.Connects(t, b.Host+":9090") {
				t.Error("somebody serves")
			}
		})
	}
}

// Neither a file that holds the same already nor --sse keeps --dry from printing and
// ending.
func TestD8DryPrintsWhatIsEqualAlready(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 1})
	b := newBalancer(t, "external", c.Masters(), "--dry")
	b.Mode = "once"
	dry := func() string {
		out, err := b.Prepare(t.Context(), b.Line()...).Output()
		must(t, err)
		return string(out)
	}
	text := dry()
	files := map[string]string{"haproxy.cfg": text, "domain2backend.map": "web.example web_10001\n"}
	for name, content := range files {
		must(t, os.WriteFile(b.Path(name), []byte(content), 0o600))
	}
	b.Args = append(b.Args, "--sse")
	if again := dry(); again != text || again == "" {
		t.Errorf("printed %q, before that %q", again, text)
	}
	for name, content := range files {
		if now, err := os.ReadFile(b.Path(name)); err != nil || string(now) != content {
			t.Errorf("%s is now %q, %v", name, now, err)
		}
	}
}

func TestD6BlanksAndNothingInListsAreNoLines(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	b := newBalancer(t, "external", c.Masters(), "--ssl-certs", " one.pem , ,two.pem,")
	b.Mode, b.Env = "render", []string{"HAPROXY_GLOBAL_DEFAULT_OPTIONS="}
	out, err := b.Prepare(t.Context(), b.Line()...).Output()
	must(t, err)
	if text := string(out); !strings.Contains(text, " ssl crt one.pem crt two.pem ") {
		t.Errorf("certificates are not as listed:\n%s", text)
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line == "option" || line == "option http-server-close" || line == "option dontlognull" {
			t.Errorf("line %q though no option is wanted", line)
		}
	}
}
