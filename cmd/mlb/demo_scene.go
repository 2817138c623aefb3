package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
)

// The demo's addresses stand for the tutorial's hosts 192.168.71.167 to 169: the
// masters are on all three, the external balancer is on the first, the internal one
// on the second. Agents have addresses of their own, because the tutorial's Ruby app
// listens on port 11111 of each, which is also WordPress's service port.
const (
	externalHost = ".167"
	internalHost = ".168"
	thirdHost    = ".169"
	masterPort   = ":8080"
	vhostPort    = ":8000" // in place of 80, which needs privileges
	demoVHost    = "test-worldpress.example.com"
)

// The tutorial's apps.
const (
	demoRedis = "/keys-and-values/db"
	demoKeys  = "/keys-and-values/app"
	demoMySQL = "/wordpress/mysql-db"
	demoWeb   = "/wordpress/web-app"
)

// Limits of the demo.
const (
	demoLimit     = 90 * time.Second // for one step
	demoPoll      = 200 * time.Millisecond
	demoStopLimit = 20 * time.Second
)

// scene is all that the demo runs.
type scene struct {
	out, log io.Writer
	// network is the beginning of the demo's loopback addresses, such as 127.71.0.
	network   string
	dir       string
	cluster   *marathonsim.Cluster
	balancers []*child
}

func (s *scene) say(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }

func (s *scene) internal() string { return s.network + internalHost }
func (s *scene) external() string { return s.network + externalHost }

// setUp starts masters and balancers.
func (s *scene) setUp(ctx context.Context) error {
	// HAProxy and the databases live where an ordinary user's PATH does not look.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin"); err != nil {
		return fmt.Errorf("extend PATH: %w", err)
	}
	var missing []string
	for _, program := range []string{"haproxy", "redis-server", "redis-cli", "mariadbd", "mariadb", "mariadb-install-db", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not installed: %s (make demo installs them)", strings.Join(missing, ", "))
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "mlb-demo-"); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	// As root, HAProxy's worker is another user and has to reach mlb's socket.
	if err = os.Chmod(s.dir, 0o711); err != nil { //nolint:gosec // nobody may list it.
		return fmt.Errorf("open folder: %w", err)
	}
	hosts := []string{s.network + externalHost, s.network + internalHost, s.network + thirdHost}
	o := marathonsim.Options{
		HealthInterval: time.Second,
		Launcher: launcher.Local{
			Dir: s.dir, StopDelay: 500 * time.Millisecond,
			Addresses: map[string]string{"192.168.71.167": hosts[0], "192.168.71.168": hosts[1], "192.168.71.169": hosts[2]},
		},
	}
	for _, h := range hosts {
		o.Listen = append(o.Listen, h+masterPort)
	}
	for _, agent := range []string{".171", ".172", ".173"} {
		o.Agents = append(o.Agents, marathonsim.Agent{Address: s.network + agent})
	}
	if err = s.checkAddresses(ctx); err != nil {
		return err
	}
	s.say("Three Marathon masters (simulated) at http://%s.{167,168,169}%s; tasks are real processes on %s.{171,172,173}.", s.network, masterPort, s.network)
	if s.cluster, err = marathonsim.New(o); err != nil {
		return err
	}
	if err := s.cluster.Start(ctx); err != nil {
		return fmt.Errorf("start masters: %w", err)
	}
	for group, host := range map[string]string{"internal": s.internal(), "external": s.external()} {
		if err := s.startBalancer(ctx, group, host); err != nil {
			return err
		}
	}
	return nil
}

// checkAddresses fails if somebody else listens where the demo is going to. A
// balancer would go on without the port, and the demo's commands would reach that
// somebody.
func (s *scene) checkAddresses(ctx context.Context) error {
	ports := map[string][]string{
		s.external():          {masterPort, vhostPort, ":8443", ":9090", ":9091", ":11111"},
		s.internal():          {masterPort, vhostPort, ":8443", ":9090", ":9091", ":9000", ":10000"},
		s.network + thirdHost: {masterPort},
	}
	var errs []error
	for _, host := range slices.Sorted(maps.Keys(ports)) {
		for _, port := range ports[host] {
			var config net.ListenConfig
			l, err := config.Listen(ctx, "tcp4", host+port)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			errs = append(errs, l.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w\nis another demo running? --network takes other addresses", err)
	}
	return nil
}

// startBalancer starts an mlb as a child, as the tutorial starts its containers.
func (s *scene) startBalancer(ctx context.Context, group, host string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	dir := filepath.Join(s.dir, group)
	args := []string{"sse"}
	for _, m := range s.cluster.Masters() {
		args = append(args, "-m", m)
	}
	args = append(args, "--health-check", "--group", group)
	s.say("mlb %s on %s: PORTS=9090 mlb %s", group, host, strings.Join(args, " "))
	args = append(args,
		"--http-bind", host+vhostPort, "--https-bind", host+":8443", "--appid-bind", host+":9091", "--stats-bind", host+":9090",
		"--bind-address", host, "--haproxy-config", filepath.Join(dir, "haproxy.cfg"), "--state-dir", filepath.Join(dir, "state"),
		"--socket-dir", filepath.Join(dir, "run"), "--ssl-dir", filepath.Join(dir, "ssl"), "--server-state-dir", dir, "--log-level", "INFO")
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, args...)
	// Variables for another mlb on this machine are not meant for the demo's.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "HAPROXY_") || strings.HasPrefix(v, "MARATHON_")
	})
	cmd.Env = append(cmd.Env, "PORTS=9090")
	cmd.Dir = dir // a folder of templates where the demo was called is not meant for it
	// An interrupt from the keyboard must not reach it before the demo stops it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err = os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // see above.
		return fmt.Errorf("make folder: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "mlb.log"))
	if err != nil {
		return fmt.Errorf("make log: %w", err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if s.log != nil {
		cmd.Stdout, cmd.Stderr = s.log, s.log
	}
	err = cmd.Start()
	if closed := log.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("start balancer: %w", err)
	}
	b := &child{cmd: cmd, ended: make(chan struct{})}
	go func() {
		b.err = cmd.Wait()
		close(b.ended)
	}()
	s.balancers = append(s.balancers, b)
	err = s.until(ctx, "the "+group+" balancer is ready", func(ctx context.Context) error {
		return s.good(ctx, host+":9090", "/_mlb/ready")
	})
	if err != nil {
		text, _ := os.ReadFile(log.Name()) // only to explain the error
		return fmt.Errorf("%w\nits log:\n%s", err, text)
	}
	return nil
}

// child is a balancer. err is set when ended is closed.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error
}

// stop asks the child to end, waits for it, and kills it if that takes too long.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop balancer: %w", err)
	}
	kill := time.AfterFunc(demoStopLimit, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	<-c.ended
	exit, ok := errors.AsType[*exec.ExitError](c.err)
	if ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
		return nil // it had no time to say what it does with the signal
	}
	return c.err
}

// close stops everything that was started and removes the folder.
func (s *scene) close() error {
	var errs []error
	for _, b := range s.balancers {
		errs = append(errs, b.stop())
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// until tries again and again until it works, ctx is done or the time is over.
func (s *scene) until(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	ticker := time.NewTicker(demoPoll)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, err)
		case <-ticker.C:
		}
	}
}

// connects waits until an address takes connections.
func (s *scene) connects(ctx context.Context, address string) error {
	return s.until(ctx, address+" takes connections", func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// reply is an answer over HTTP.
type reply struct {
	status int
	task   string // header X-Task: who answered
	body   string
}

// get asks over a connection of its own.
func (s *scene) get(ctx context.Context, address, path, host string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		return reply{}, err
	}
	req.Host, req.Close = host, true
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return reply{resp.StatusCode, resp.Header.Get("X-Task"), string(body)}, errors.Join(err, resp.Body.Close())
}

// good asks for a page and fails with its text unless the status is 200.
func (s *scene) good(ctx context.Context, address, path string) error {
	r, err := s.get(ctx, address, path, "")
	if err == nil && r.status != http.StatusOK {
		err = errors.New(r.body)
	}
	return err
}

// command runs a command in the demo's folder, showing it as a user would type it.
func (s *scene) command(ctx context.Context, shown string) (string, error) {
	s.say("  $ %s", shown)
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", shown)
	cmd.Dir = s.dir
	// The shell has children, which end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s: %w: %s", shown, err, text)
	}
	return text, nil
}
