package contract_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mlb/test/balancer"
)

// alone lets a command run where no process of others is seen, so that no HAProxy of
// others is taken for a new one. It skips the test where that is not possible.
func alone(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	isolate := func(words ...string) *exec.Cmd {
		const own = `mount --make-rprivate / && mount -t proc proc /proc && exec "$@"`
		apart := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", own, "sh"}, words...)...)
		apart.SysProcAttr = namespaces(syscall.CLONE_NEWPID | syscall.CLONE_NEWNS)
		return apart
	}
	if out, err := isolate("true").CombinedOutput(); err != nil {
		t.Skipf("processes cannot be hidden here: %v %s", err, out)
	}
	apart := isolate(append([]string{cmd.Path}, cmd.Args[1:]...)...)
	apart.Dir, apart.Env = cmd.Dir, cmd.Env
	return apart
}

// retryBehaviours show how often the reload command is run.
func retryBehaviours() []behaviour {
	return []behaviour{{
		name:   "the reload command is run every --reload-interval until a new HAProxy is seen, --max-reload-retries times in all",
		covers: []string{"flag --max-reload-retries", "flag --reload-interval", "D47"},
		apps:   []app{{id: "/retried", ports: []int{10120}, labels: grouped("retried")}},
		show: func(t *testing.T, s scene) {
			for name, tt := range map[string]struct {
				retries, command string
				want             int
			}{
				"three":                      {"3", "", 3},
				"one":                        {"1", "", 1},
				"none is one":                {"0", "", 1},
				"what fails is not repeated": {"3", "exit 1\n", 1}, // in this pass
				"a new HAProxy is enough":    {"5", "[ $(wc -l <runs) -ge 2 ] || exit 0\n" + balancer.ReloadScript, 2},
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					b := newUpdater(t, s.cluster.Masters(), "retried")
					b.Args = []string{
						"--max-reload-retries", tt.retries, "--reload-interval", "1",
						"-c", b.Script(t, "count.sh", "date +%s%N >>runs\n"+tt.command),
					}
					finish(t, alone(t, updater(t, b, b.Line()[1:]...))).wants(t, 0)
					runs := strings.Fields(content(t, b, "runs"))
					if len(runs) != tt.want {
						t.Errorf("%d runs, want %d", len(runs), tt.want)
					}
					for i := 1; i < len(runs); i++ {
						if apart := nanoseconds(t, runs[i]) - nanoseconds(t, runs[i-1]); apart < 1e9 {
							t.Errorf("two runs are %d ns apart", apart)
						}
					}
				})
			}
			t.Run("a negative number is no limit", func(t *testing.T) {
				t.Parallel()
				showsEndlessRuns(t, s)
			})
		},
	}}
}

func showsEndlessRuns(t *testing.T, s scene) {
	t.Helper()
	b := newUpdater(t, s.cluster.Masters(), "retried")
	b.Args = []string{"--max-reload-retries=-1", "--reload-interval", "0", "-c", b.Script(t, "count.sh", "echo run >>runs")}
	endless := start(t, alone(t, updater(t, b, b.Line()[1:]...)))
	balancer.Eventually(t, "more than a dozen runs", func() error {
		if n := strings.Count(content(t, b, "runs"), "run"); n <= 12 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	endless.signal(t, syscall.SIGTERM)
	if status := endless.wait(t); status != 0 {
		t.Errorf("status %d after the signal to end", status)
	}
}

// nanoseconds reads a time that a script has written.
func nanoseconds(t *testing.T, word string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
