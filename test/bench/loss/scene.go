package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mlb/test/marathonsim"
)

// limit is how long a step of the story may take.
const limit = 2 * time.Minute

// scene is a simulated Marathon, and an mlb with its HAProxy.
type scene struct {
	options

	// dir is the folder of all files, of which nothing is left in the end.
	dir     string
	at      place
	cluster *marathonsim.Cluster
	cmd     *exec.Cmd
	ended   chan struct{} // closed when mlb has ended
}

// loopback returns addresses that belong to this process alone, the balancer's being 0
// and the agents' those from 1 on.
func loopback(n int) string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 128+pid>>8&63, pid&255, 1+n)
}

// setUp starts everything with the apps that are there from the
// beginning. The scene has to be closed after an error, too.
func (s *scene) setUp(ctx context.Context, launcher tasks) (err error) {
	if s.dir, err = os.MkdirTemp("/tmp", "mlb-loss"); err != nil { // sockets have short paths
		return err
	}
	// As root, HAProxy's worker is another user and has to reach mlb's socket.
	if err = os.Chmod(s.dir, 0o711); err != nil {
		return err
	}
	s.at = place{loopback(0)}
	o := marathonsim.Options{HealthInterval: 500 * time.Millisecond, EphemeralPorts: true, KillDelay: s.order, Launcher: launcher}
	for i := range 3 {
		o.Agents = append(o.Agents, marathonsim.Agent{Address: loopback(1 + i)})
	}
	if s.cluster, err = marathonsim.New(o); err != nil {
		return err
	}
	if err = s.cluster.Start(ctx); err != nil {
		return err
	}
	for _, a := range []app{
		{id: webApp, host: webHost, ports: []int{webPort, webLinesPort}, linesAt: 1, instances: fewTasks, line: s.line},
		{id: echoApp, host: echoHost, ports: []int{echoLinesPort, echoPort}, linesAt: 0, instances: fewTasks},
	} {
		if err = s.deploy(ctx, a); err != nil {
			return err
		}
	}
	if err = s.startBalancer(ctx); err != nil {
		return err
	}
	return s.until(ctx, "mlb is ready", func(ctx context.Context) error {
		_, notReady := s.ask(ctx, "/_mlb/ready")
		return notReady
	})
}

// path is the path of a file in the scene's folder.
func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// startBalancer starts mlb.
func (s *scene) startBalancer(ctx context.Context) error {
	out, err := os.Create(s.path("log"))
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // the process has its own copy
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.mlb,
		"sse", "-m", s.cluster.Masters()[0], "--group", "external", "--health-check", "--haproxy-binary", s.haproxy,
		"--http-bind", s.at.web(), "--https-bind", s.at.port(8443), "--appid-bind", s.at.port(9091), "--stats-bind", s.at.port(9090),
		"--bind-address", s.at.host, "--haproxy-config", s.path("haproxy.cfg"), "--state-dir", s.path("state"),
		"--server-state-dir", s.path("servers"), "--socket-dir", s.path("run"), "--ssl-dir", s.path("ssl"), "--log-level", "INFO")
	s.cmd.Dir = s.dir
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.dir, "PORTS=9090"}
	if s.log != "" {
		s.cmd.Env = append(s.cmd.Env, "HAPROXY_SYSLOGD=1", "HAPROXY_GLOBAL_DEFAULT_OPTIONS=redispatch,http-server-close,dontlognull,httplog")
	}
	s.cmd.Stdout, s.cmd.Stderr = out, out
	// An interrupt from the keyboard must not reach it before the clients have ended.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // that it has ended is what counts
	}()
	return nil
}

// close ends everything and removes the folder.
func (s *scene) close() error {
	var errs []error
	if s.ended != nil {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		kill := time.AfterFunc(limit, func() { _ = s.cmd.Process.Kill() })
		<-s.ended
		kill.Stop()
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Close())
	}
	if s.dir == "" {
		return errors.Join(errs...)
	}
	if s.log != "" {
		text, err := os.ReadFile(s.path("log"))
		errs = append(errs, err, os.WriteFile(s.log, text, 0o600))
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// app is an app of the group "external".
type app struct {
	id, host string
	// ports are the service ports, linesAt is the index of the one for TCP; -1 for none.
	ports     []int
	linesAt   int
	instances int
	// line is one more line for each of its backends.
	line string
}

// document is the app as it is posted. Its settings are those that an app needs so
// that nothing is lost: a health check, so that a task gets requests when it can
// answer them, and a grace period that is longer than the longest session.
func (a app) document() (string, error) {
	labels := map[string]string{"HAPROXY_GROUP": "external"}
	var definitions, checks []any
	env := map[string]string{}
	for i, p := range a.ports {
		definitions = append(definitions, map[string]any{"port": p, "protocol": "tcp"})
		check := map[string]any{
			"protocol": "HTTP", "path": healthPath, "portIndex": i,
			"gracePeriodSeconds": 10, "intervalSeconds": 2, "timeoutSeconds": 10, "maxConsecutiveFailures": 10,
		}
		if i == a.linesAt {
			labels[fmt.Sprintf("HAPROXY_%d_MODE", i)] = "tcp"
			env[linesEnv] = strconv.Itoa(i)
			check["protocol"] = "TCP"
			delete(check, "path")
		} else {
			labels[fmt.Sprintf("HAPROXY_%d_VHOST", i)] = a.host
		}
		checks = append(checks, check)
		if a.line != "" {
			labels[fmt.Sprintf("HAPROXY_%d_BACKEND_HEAD", i)] = "\nbackend {backend}\n  balance {balance}\n  mode {mode}\n  " + a.line + "\n"
		}
	}
	b, err := json.Marshal(map[string]any{
		"id": a.id, "cmd": "serve", "instances": a.instances, "cpus": 0.1, "mem": 32, "labels": labels, "env": env,
		"portDefinitions": definitions, "healthChecks": checks, "taskKillGracePeriodSeconds": 60,
	})
	return string(b), err
}

// deploy deploys an app and waits for its tasks.
func (s *scene) deploy(ctx context.Context, a app) error {
	document, err := a.document()
	if err != nil {
		return err
	}
	if err = s.cluster.Deploy(document); err != nil {
		return err
	}
	return s.running(ctx, a.id, a.instances)
}

// running waits until an app has so many tasks, all of them ready.
func (s *scene) running(ctx context.Context, id string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := s.cluster.WaitRunning(ctx, id, n)
	return err
}

// ask gets a page from the statistics port.
func (s *scene) ask(ctx context.Context, path string) (string, error) {
	w := web{addr: s.at.port(9090), host: s.at.host}
	r, err := w.send(ctx, http.MethodGet, path, nil)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", path, r.status, strings.TrimSpace(r.body))
	}
	return r.body, err
}

// until tries again and again until it works, mlb has ended, ctx is done or the time
// is over.
func (s *scene) until(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w\n%s", what, err, s.words())
		case <-s.ended:
			return fmt.Errorf("mlb has ended before %s: %w\n%s", what, err, s.words())
		}
	}
}

// words are the last words of mlb.
func (s *scene) words() string {
	const most = 4000
	text, err := os.ReadFile(s.path("log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
