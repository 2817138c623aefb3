package image_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// network is what the hosts have in common: an address prefix, and a bridge that
// is the test's own end of it.
const (
	bridge     = "mlb0"
	prefixBits = "/24"
)

// startDeadline bounds the start of a daemon and each Docker command.
const startDeadline = 2 * time.Minute

// host is a machine of the tutorial: a network namespace that has one address
// and runs a Docker daemon.
type host struct {
	address string
	socket  string
	pid     int
}

// newBridge makes the network, with addresses of the test itself on it.
func newBridge(t *testing.T, addresses ...string) {
	t.Helper()
	ip(t, "link", "set", "lo", "up")
	ip(t, "link", "add", bridge, "type", "bridge")
	ip(t, "link", "set", bridge, "up")
	for _, address := range addresses {
		ip(t, "addr", "add", address+prefixBits, "dev", bridge)
	}
}

// newHost starts a host with the given address and waits until its daemon
// answers. It is stopped when the test ends.
func newHost(t *testing.T, address, storageDriver string) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{address: address, socket: filepath.Join(dir, "docker.sock")}

	config := filepath.Join(dir, "daemon.json")
	writeDaemonConfig(t, config, storageDriver)
	log, err := os.Create(filepath.Join(dir, "dockerd.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("dockerd of %s:\n%s", address, lastLines(string(text), 20))
		}
	})

	// The daemon outlives the test's context: the containers are removed first.
	daemon := exec.CommandContext(context.WithoutCancel(t.Context()), "dockerd", "--config-file", config,
		"--iptables=false", "--ip6tables=false", "--bridge=none",
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "docker.pid"), "--host", "unix://"+h.socket)
	daemon.Stdout, daemon.Stderr = log, log
	daemon.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setpgid: true}
	if err := daemon.Start(); err != nil {
		t.Fatalf("start dockerd: %v", err)
	}
	h.pid = daemon.Process.Pid
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
		_ = log.Close()
		// The namespace that --net=host containers were put in is held by a mount.
		_ = unix.Unmount(filepath.Join(dir, "exec", "netns", "default"), unix.MNT_DETACH)
	})

	h.plugIn(t)
	waitFor(t, startDeadline, "dockerd of "+address, func(ctx context.Context) error {
		return exec.CommandContext(ctx, "docker", "-H", "unix://"+h.socket, "version").Run()
	})
	return h
}

// plugIn connects the host to the bridge and gives it its address.
func (h *host) plugIn(t *testing.T) {
	t.Helper()
	port := fmt.Sprintf("p%d", h.pid)
	ip(t, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(h.pid))
	ip(t, "link", "set", port, "master", bridge, "up")
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", h.address + prefixBits, "dev", "eth0"},
		{"link", "set", "eth0", "up"},
	} {
		run(t, "nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", h.pid), "ip"}, args...)...)
	}
}

// docker runs a Docker command on the host and returns what it printed.
func (h *host) docker(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, "docker", append([]string{"-H", "unix://" + h.socket}, args...)...)
}

// logs returns the end of what a container printed.
func (h *host) logs(t *testing.T, id string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startDeadline)
	defer cancel()
	// mlb logs on standard error.
	out, err := exec.CommandContext(ctx, "docker", "-H", "unix://"+h.socket, "logs", "--tail", "80", id).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// load copies an image from the daemon of the machine.
func (h *host) load(t *testing.T, archive string) {
	t.Helper()
	h.docker(t, "load", "--quiet", "--input", archive)
}

// listen opens a listener on the host's address. A socket stays in the network
// namespace in which it was made, so only its making needs the thread to be
// there.
func (h *host) listen(t *testing.T, port int) net.Listener {
	t.Helper()
	type result struct {
		listener net.Listener
		err      error
	}
	done := make(chan result)
	go func() {
		// The thread is never unlocked: it ends with this goroutine, and nothing
		// else runs in the host's namespace by mistake.
		runtime.LockOSThread()
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", h.pid))
		if err != nil {
			done <- result{err: err}
			return
		}
		defer func() { _ = ns.Close() }()
		if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{err: fmt.Errorf("enter the network of %s: %w", h.address, err)}
			return
		}
		var config net.ListenConfig
		listener, err := config.Listen(context.Background(), "tcp", fmt.Sprintf("%s:%d", h.address, port))
		done <- result{listener: listener, err: err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { _ = r.listener.Close() })
	return r.listener
}

// writeDaemonConfig writes the daemon's configuration.
func writeDaemonConfig(t *testing.T, file, storageDriver string) {
	t.Helper()
	config := map[string]any{}
	if storageDriver != "" {
		config["storage-driver"] = storageDriver
	}
	if missing := missingCapabilities(t); missing != "" {
		t.Logf("this machine withholds %s; --privileged means all the others here", missing)
		config["default-runtime"] = "bounded"
		config["runtimes"] = map[string]any{"bounded": map[string]any{"path": boundedRuntime(t)}}
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ip runs the ip command.
func ip(t *testing.T, args ...string) {
	t.Helper()
	run(t, "ip", args...)
}

// run runs a command and returns its standard output without space around it.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errors.String())
	}
	return strings.TrimSpace(out.String())
}

// waitFor tries until attempt succeeds; each attempt may take five seconds.
func waitFor(t *testing.T, limit time.Duration, what string, attempt func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		try, done := context.WithTimeout(ctx, 5*time.Second)
		err := attempt(try)
		done()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		case <-ticker.C:
		}
	}
}

// lastLines returns the last n lines of text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
