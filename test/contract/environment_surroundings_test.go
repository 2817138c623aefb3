package contract_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"mlb/test/balancer"
)

// surroundingsStage shows variables that decide about the start.
func surroundingsStage() stage {
	return stage{
		name: "surroundings", idle: true,
		behaviours: []behaviour{
			{
				name:   "PORTS has to be there for the container's form; its value says nothing",
				covers: []string{"env PORTS"},
				show: func(t *testing.T, s scene) {
					b := balancer.New(t, "ports", s.cluster.Masters())
					b.Args = []string{"--dry"}
					for env, status := range map[string]int{"PORTS=": 1, "PORTS=9090,9091": 0, "PORTS=whatever": 0} {
						b.Env = []string{env}
						e := finish(t, b.Prepare(t.Context(), b.Line()...))
						e.wants(t, status)
						if status == 1 && !strings.Contains(e.stderr, "PORTS") {
							t.Errorf("it does not say why: %s", e.stderr)
						}
					}
				},
			},
			{
				name:   "without a certificate one is made, once; numbered ones alone do not count",
				covers: []string{"env HAPROXY_SSL_CERT", "env HAPROXY_SSL_CERT0 … HAPROXY_SSL_CERT100", "D4"},
				show:   showsSelfSigned,
			},
			{
				name:   "mlb poll waits for POLL_INTERVAL between its passes",
				covers: []string{"env POLL_INTERVAL"},
				show: func(t *testing.T, s scene) {
					b := balancer.New(t, "poll", s.cluster.Masters())
					b.Mode, b.Env = "poll", []string{"POLL_INTERVAL=0.1s"}
					b.Start(t)
					balancer.Eventually(t, "a dozen readings", func() error {
						if n, err := b.Metric(t.Context(), "mlb_fetch_duration_seconds_count", ""); err != nil || n < 12 {
							return fmt.Errorf("%v readings, %w", n, err)
						}
						return nil
					})
				},
			},
			{
				name:   "HAPROXY_SYSCTL_PARAMS are set at start, and one that cannot be set ends it unless HAPROXY_SYSCTL_NONSTRICT says otherwise",
				covers: []string{"env HAPROXY_SYSCTL_PARAMS", "env HAPROXY_SYSCTL_NONSTRICT"},
				show:   showsKernelParameters,
			},
			{
				name:   "an empty HAPROXY_GLOBAL_DEFAULT_OPTIONS means no option, and the configuration is one that HAProxy takes",
				covers: []string{"env HAPROXY_GLOBAL_DEFAULT_OPTIONS", "D6"},
				apps:   []app{{id: "/plain", ports: []int{10100}, labels: grouped("plain", "HAPROXY_0_MODE", "http")}},
				show: func(t *testing.T, s scene) {
					b := balancer.New(t, "plain", s.cluster.Masters())
					b.Groups, b.Env = []string{"plain"}, []string{"HAPROXY_GLOBAL_DEFAULT_OPTIONS="}
					b.Start(t)
					expect(t, b.Port(10100, "/"), by("/plain"))
					if closesConnections(t, b.Host+":10100") {
						t.Error("a connection ends with its first answer")
					}
				},
			},
		},
	}
}

func showsSelfSigned(t *testing.T, s scene) {
	t.Helper()
	b := balancer.New(t, "self-signed", s.cluster.Masters())
	b.Env = []string{"HAPROXY_SSL_CERT0=" + oneLine(newCertificate(t, "zeroth.example"))}
	begin := func() (pair string) {
		b.Start(t)
		b.WaitReady(t)
		expect(t, b.Secure("zeroth.example", "/"), certificate("*"))
		wantMode(t, b.Path("ssl/cert.pem"), 0o600)
		if _, err := os.Stat(b.Path("ssl/cert0.pem")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a numbered certificate alone is written: %v", err)
		}
		return content(t, b, "ssl/cert.pem")
	}
	first := begin()
	b.Signal(t, syscall.SIGTERM)
	b.Wait(t)
	if second := begin(); second != first {
		t.Error("the certificate has changed with the start")
	}
}

func showsKernelParameters(t *testing.T, s scene) {
	t.Helper()
	// The name of the host is a parameter that a process can have for itself. What is
	// wrong with the command line is found after the parameters are set.
	const unreadable = "missing.pem: no such file"
	b := balancer.New(t, "kernel", s.cluster.Masters())
	b.Args = []string{"--marathon-ca-cert", b.Path("missing.pem")}
	named := func(parameters, lenient string) (name, log string) {
		b.Env = []string{"HAPROXY_SYSCTL_PARAMS=" + parameters, "HAPROXY_SYSCTL_NONSTRICT=" + lenient}
		e := finish(t, ownName(t, b.Prepare(t.Context(), b.Line()...)))
		e.wants(t, 1)
		return strings.TrimSpace(e.stdout), e.stderr
	}
	if name, log := named(" kernel.domainname=example  kernel.hostname=named-by-mlb ", ""); name != "named-by-mlb" || !strings.Contains(log, unreadable) {
		t.Errorf("the name is %q\n%s", name, log)
	}
	const wrong = "kernel.no_such_parameter=1 kernel.hostname=named-later"
	if name, log := named(wrong, ""); name == "named-later" || strings.Contains(log, unreadable) || !strings.Contains(log, "no_such_parameter") {
		t.Errorf("strict: the name is %q\n%s", name, log)
	}
	if name, log := named(wrong, "1"); name != "named-later" || !strings.Contains(log, unreadable) || !strings.Contains(log, "no_such_parameter") {
		t.Errorf("not strict: the name is %q\n%s", name, log)
	}
}

// ownName lets a command run with a host name of its own, which is printed at the end.
// It skips the test where that is not possible.
func ownName(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	const say = `"$@"; status=$?; cat /proc/sys/kernel/hostname; exit $status`
	named := func(words ...string) *exec.Cmd {
		apart := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", say, "sh"}, words...)...)
		apart.SysProcAttr = namespaces(syscall.CLONE_NEWUTS)
		return apart
	}
	if out, err := named("/bin/sh", "-c", "echo probe >/proc/sys/kernel/hostname").CombinedOutput(); err != nil || string(out) != "probe\n" {
		t.Skipf("a host cannot be named here: %v %s", err, out)
	}
	apart := named(append([]string{cmd.Path}, cmd.Args[1:]...)...)
	apart.Dir, apart.Env = cmd.Dir, cmd.Env
	return apart
}

// namespaces asks for new namespaces, in which this user is root.
func namespaces(flags uintptr) *syscall.SysProcAttr {
	if os.Geteuid() == 0 {
		return &syscall.SysProcAttr{Cloneflags: flags}
	}
	return &syscall.SysProcAttr{
		Cloneflags:  flags | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}
