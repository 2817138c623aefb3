package contract_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/test/balancer"
	"mlb/test/haproxytest"
	"mlb/test/marathonsim/simtest"
)

// ended is what is left of a program that has ended.
type ended struct {
	stdout, stderr string
	status         int
}

// newUpdater returns what runs as the updater alone, in a folder of its own.
func newUpdater(t *testing.T, masters []string, group string) *balancer.Balancer {
	t.Helper()
	b := balancer.New(t, "updater", masters)
	b.Groups = []string{group}
	writeFile(t, b.Path("ssl/cert.pem"), newCertificate(t, "updater.example")) // it makes none itself
	return b
}

// updater returns a command of the updater under its name in marathon-lb.
func updater(t *testing.T, b *balancer.Balancer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := b.Prepare(t.Context(), args...)
	name := b.Path("marathon_lb.py")
	if err := os.Symlink(cmd.Path, name); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args[0] = name, name
	return cmd
}

// pass is one pass of the updater with the balancer's flags and these. A command that
// does nothing keeps it away from the init system of this machine.
func pass(t *testing.T, b *balancer.Balancer, args ...string) ended {
	t.Helper()
	idle := []string{"--command", "true", "--max-reload-retries", "0", "--reload-interval", "0"}
	return finish(t, updater(t, b, slices.Concat(b.Line()[1:], idle, args)...))
}

// finish runs a program to its end.
func finish(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return ended{out.String(), log.String(), cmd.ProcessState.ExitCode()}
}

// wants fails the test unless the program has ended with the status.
func (e ended) wants(t *testing.T, status int) {
	t.Helper()
	if e.status != status {
		t.Fatalf("status %d, want %d\n%s\n%s", e.status, status, e.stdout, e.stderr)
	}
}

// content returns a file of the balancer's folder; one that is not there is empty.
func content(t *testing.T, b *balancer.Balancer, name string) string {
	t.Helper()
	text, err := os.ReadFile(b.Path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// grouped is the label of the group that one behaviour has for itself, and further
// labels, given as pairs.
func grouped(group string, pairs ...string) map[string]string {
	labels := map[string]string{"HAPROXY_GROUP": group}
	for i := 0; i+1 < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	return labels
}

// directStage shows the updater alone: its files and its reload command.
func directStage() stage {
	return stage{
		name: "updater", idle: true,
		behaviours: slices.Concat(logBehaviours(), retryBehaviours(), []behaviour{
			{
				name:   "one pass writes the file of --haproxy-config with its maps, has the HAProxy of somebody else reloaded, and ends",
				covers: []string{"flag --haproxy-config", "flag --command"},
				apps:   []app{{id: "/once", ports: []int{10100}, labels: grouped("once", "HAPROXY_0_VHOST", "once.example")}},
				show: func(t *testing.T, s scene) {
					b := newUpdater(t, s.cluster.Masters(), "once")
					args := []string{"--haproxy-map", "-c/bin/sh " + b.Script(t, "reload.sh", balancer.ReloadScript)}
					pass(t, b, args...).wants(t, 0)
					expect(t, b.Web("once.example", "/"), by("/once"))
					if got := content(t, b, "domain2backend.map"); !strings.Contains(got, "once.example once_10100\n") {
						t.Errorf("the map beside the configuration is %q", got)
					}
				},
			},
			{
				name:   "with --sse the updater stays and follows changes, and HUP and USR1 do not end it",
				covers: []string{"flag --sse"},
				apps:   []app{{id: "/stays", ports: []int{10101}, labels: grouped("stays")}},
				show:   showsThatTheUpdaterStays,
			},
			{
				name:   "the reload command is split as a shell does, and no shell sees it",
				covers: []string{"flag --command"},
				show: func(t *testing.T, s scene) {
					b := newUpdater(t, s.cluster.Masters(), "nobody")
					command := b.Script(t, "words.sh", `for w in "$@"; do echo "$w" >>words; done`)
					pass(t, b, "--command", command+` 'one word' a\ b "\$HOME" $HOME *;true`).wants(t, 0)
					want := "one word\na b\n$HOME\n$HOME\n*;true\n"
					if diff := cmp.Diff(want, content(t, b, "words")); diff != "" {
						t.Errorf("words (-want +got):\n%s", diff)
					}
				},
			},
			{
				name:   "a file keeps its mode, a new one is not for everybody, and equal text is not written or reloaded again",
				covers: []string{"D45"},
				show: func(t *testing.T, s scene) {
					b := newUpdater(t, s.cluster.Masters(), "nobody")
					count := b.Script(t, "count.sh", "echo run >>runs\n"+balancer.ReloadScript)
					reload := []string{"-c", count, "--reload-interval", "30"} // one run, until it is seen
					pass(t, b, reload...).wants(t, 0)
					wantMode(t, b.Path("haproxy.cfg"), 0o640)
					if err := os.Chmod(b.Path("haproxy.cfg"), 0o604); err != nil {
						t.Fatal(err)
					}
					pass(t, b, append(reload, "--http-bind", b.Host+":8081")...).wants(t, 0)
					wantMode(t, b.Path("haproxy.cfg"), 0o604)
					runs := content(t, b, "runs")
					pass(t, b, append(reload, "--http-bind", b.Host+":8081")...).wants(t, 0)
					if got := content(t, b, "runs"); got != runs {
						t.Errorf("%d bytes of runs after equal text, want %d", len(got), len(runs))
					}
				},
			},
			{
				name:   "--archive-versions are kept, and 0 and 1 keep one",
				covers: []string{"flag --archive-versions", "D45"},
				show: func(t *testing.T, s scene) {
					b := newUpdater(t, s.cluster.Masters(), "nobody")
					for i, kept := range []struct {
						versions string
						want     int
					}{{"2", 0}, {"2", 1}, {"2", 2}, {"2", 2}, {"1", 1}, {"0", 1}} {
						pass(t, b, "--archive-versions", kept.versions, "--http-bind", fmt.Sprintf("%s:%d", b.Host, 8081+i)).wants(t, 0)
						names, err := filepath.Glob(b.Path("state/archive/haproxy.cfg.*"))
						if err != nil || len(names) != kept.want {
							t.Errorf("--archive-versions %s: kept %v, %v, want %d", kept.versions, names, err, kept.want)
						}
						for _, name := range names {
							wantMode(t, name, 0o600)
						}
						newest := content(t, b, "state/archive/haproxy.cfg.1")
						if before := fmt.Sprintf("%s:%d\n", b.Host, 8080+i); i > 0 && !strings.Contains(newest, before) {
							t.Errorf("the newest is not the version before, with %s", before)
						}
					}
				},
			},
			{
				name:   "an app that HAProxy refuses is left out; --skip-config-cleanup keeps the file as it is, --skip-validation asks nobody",
				covers: []string{"flag --skip-validation", "flag --skip-config-cleanup", "D48"},
				apps: []app{
					{id: "/well", ports: []int{10102}, labels: grouped("judged")},
					{id: "/refused", ports: []int{10103}, labels: grouped("judged", "HAPROXY_0_SSL_CERT", "/nonexistent/site.pem")},
				},
				show: showsWhatIsLeftOfARefusal,
			},
			{
				name:   "--dry prints the configuration, writes and reloads nothing, and ends also with --sse",
				covers: []string{"flag --dry", "flag --sse", "flag --health-check", "D8"},
				apps:   []app{{id: "/printed", ports: []int{10104}, labels: grouped("printed")}},
				show: func(t *testing.T, s scene) {
					b := newUpdater(t, s.cluster.Masters(), "printed")
					count := b.Script(t, "count.sh", "echo run >>runs")
					first := pass(t, b, "-c", count, "-sHd")
					first.wants(t, 0)
					if !strings.Contains(first.stdout, "\nbackend printed_10104\n") {
						t.Errorf("printed: %s", first.stdout)
					}
					if got := content(t, b, "haproxy.cfg") + content(t, b, "runs"); got != "" {
						t.Errorf("something was written or run: %q", got)
					}
					// What is printed is what would be written, and it is printed also when
					// it is there already.
					pass(t, b, "-H").wants(t, 0)
					again := pass(t, b, "-d", "-H")
					again.wants(t, 0)
					if diff := cmp.Diff(content(t, b, "haproxy.cfg"), again.stdout); diff != "" {
						t.Errorf("(-written +printed):\n%s", diff)
					}
				},
			},
			{
				name:   "a wrong command line ends the start with status 2 and its usage; a prefix that is no option's alone is wrong",
				covers: []string{"flag --group", "flag --max-backoff", "flag --ssl-certs"},
				show:   showsMistakes,
			},
		}),
	}
}

// wantMode fails the test if the file has another mode.
func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != want {
		t.Errorf("%s has the mode %v, want %v", path, got, want)
	}
}

func showsThatTheUpdaterStays(t *testing.T, s scene) {
	t.Helper()
	b := newUpdater(t, s.cluster.Masters(), "stays")
	b.Args = []string{"--dont-bind-http-https", "-s", "-c", "/bin/sh " + b.Script(t, "reload.sh", balancer.ReloadScript)}
	follows := start(t, updater(t, b, b.Line()[1:]...))
	expect(t, b.Port(10101, "/"), by("/stays"))
	follows.signal(t, syscall.SIGHUP)
	follows.signal(t, syscall.SIGUSR1)
	simtest.Deploy(t, s.cluster, app{id: "/later", ports: []int{10105}, labels: grouped("stays")}.document(t))
	expect(t, b.Port(10105, "/"), by("/later"))
	follows.signal(t, os.Interrupt)
	if status := follows.wait(t); status != 0 {
		t.Errorf("status %d", status)
	}
	expect(t, b.Port(10101, "/"), by("/stays")) // it is not the updater's to stop
}

func showsWhatIsLeftOfARefusal(t *testing.T, s scene) {
	t.Helper()
	b := newUpdater(t, s.cluster.Masters(), "judged")
	asked := b.Script(t, "haproxy.sh", "echo \" $* \" >>asked\nexec '"+haproxytest.Binary(t)+"' \"$@\"")
	judge := func(args ...string) (text string, checked bool) {
		if err := os.WriteFile(b.Path("asked"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		pass(t, b, append(args, "--haproxy-binary", asked)...).wants(t, 0)
		return content(t, b, "haproxy.cfg"), strings.Contains(content(t, b, "asked"), " -c ")
	}
	if text, checked := judge("--skip-config-cleanup"); text != "" || !checked {
		t.Errorf("--skip-config-cleanup: checked %t, the file is %q", checked, text)
	}
	text, checked := judge()
	if !checked || !strings.Contains(text, "\nbackend well_10102\n") || strings.Contains(text, "/nonexistent/site.pem") {
		t.Errorf("checked %t, the file is %s", checked, text)
	}
	if again, _ := judge("--skip-config-cleanup", "--http-bind", b.Host+":8081"); again != text {
		t.Errorf("--skip-config-cleanup: the file has changed: %s", again)
	}
	if text, checked = judge("--skip-validation"); checked || !strings.Contains(text, "/nonexistent/site.pem") {
		t.Errorf("--skip-validation: checked %t, the file is %s", checked, text)
	}
}

func showsMistakes(t *testing.T, s scene) {
	t.Helper()
	for line, says := range map[string]string{
		"":                             "--group",
		"--group":                      "--group",
		"--group x --nope":             "--nope",
		"--group x stray":              "stray",
		"--group x --max 5":            "--max-backoff",
		"--group x --max-backoff soon": "--max-backoff",
		"--group x --strict-mode=yes":  "--strict-mode",
		"--group x --min-serv-port-ip-per-task=0":                                 "--max-serv-port-ip-per-task",
		"--group x --min-serv-port-ip-per-task 20 --max-serv-port-ip-per-task 10": "above",
	} {
		wrong := finish(t, updater(t, s.Balancer, strings.Fields(line)...))
		wrong.wants(t, 2)
		if !strings.Contains(wrong.stderr, says) || wrong.stdout != "" {
			t.Errorf("%q: %q and %q", line, wrong.stdout, wrong.stderr)
		}
	}
	b := newUpdater(t, s.cluster.Masters(), "nobody")
	writeFile(t, b.Path("one.pem"), newCertificate(t, "one.example"))
	pass(t, b, "--ssl", b.Path("one.pem"), "--max-b", "7").wants(t, 0)
	if got := content(t, b, "haproxy.cfg"); !strings.Contains(got, b.Path("one.pem")) {
		t.Errorf("--ssl is not --ssl-certs: %s", got)
	}
}
