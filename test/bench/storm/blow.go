package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/runtime"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/storm"
)

// mostApps is how many the limit of open files usually carries: each task is a
// listener of this process.
const mostApps = 3000

// result is what a storm gave.
type result struct {
	changes storm.Changes
	seen    storm.Seen
	passes  int
	// exact is how long after the last change of the storm all was as Marathon says.
	exact time.Duration
}

// blow starts Marathon and mlb, lets the storm pass and waits until all is as Marathon
// says.
func blow(ctx context.Context, o options, progress io.Writer) (r result, err error) {
	say := func(format string, words ...any) { _, _ = fmt.Fprintf(progress, format+"\n", words...) }
	dir, err := os.MkdirTemp("", "mlb-storm")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err = os.Chmod(dir, 0o755); err != nil { // HAProxy's worker may be another user
		return r, err
	}
	if o.mlb == "" {
		o.mlb = filepath.Join(dir, "mlb")
		if text, failure := exec.CommandContext(ctx, "go", "build", "-o", o.mlb, "mlb/cmd/mlb").CombinedOutput(); failure != nil {
			return r, fmt.Errorf("build mlb: %w\n%s", failure, text)
		}
	}
	say("starting %d apps", o.storm.Apps)
	s := storm.New(o.storm)
	c, err := marathonsim.New(marathonsim.Options{
		Agents: agents(), EphemeralPorts: true, ServicePortMax: 1 << 16,
		Launcher: launcher.InProcess{StopDelay: 100 * time.Millisecond}, Observer: s.Observe,
	})
	if err != nil {
		return r, err
	}
	if err = c.Start(ctx); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err = s.Deploy(ctx, c); err != nil {
		return r, err
	}
	say("starting mlb")
	m, err := startMLB(ctx, o, dir, c.Masters()[0])
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.stop()) }()
	target := storm.Balancer{
		Master: runtime.NewMasterSocket(m.path("run/master.sock"), zap.NewNop()), Web: m.host + ":8080", Config: m.path(configFile),
	}
	if err = m.ready(ctx, o.patience); err == nil {
		err = exact(ctx, o, s, target)
	}
	if err != nil {
		return r, fmt.Errorf("before the storm: %w", err)
	}
	say("storm")
	w := storm.Watch(ctx, target.Master)
	calm := s.Visit(ctx, target.Web, o.clients)
	r.changes, err = s.Run(ctx)
	end := time.Now()
	if err == nil {
		say("waiting until all is as Marathon says")
		err = exact(ctx, o, s, target)
	}
	r.exact = time.Since(end)
	calm()
	r.seen = w.Stop()
	if err != nil {
		return r, err
	}
	log, err := os.ReadFile(m.path("log"))
	if err != nil {
		return r, err
	}
	r.passes, err = storm.OneAtATime(string(log))
	return r, err
}

// exact waits as long as the user has patience.
func exact(ctx context.Context, o options, s *storm.Storm, target storm.Balancer) error {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	return s.Exact(ctx, target)
}

// agents run the tasks; each has loopback addresses of this process alone.
func agents() []marathonsim.Agent {
	var out []marathonsim.Agent
	for i := range 5 {
		out = append(out, marathonsim.Agent{Address: loopback(1 + i)})
	}
	return out
}

func loopback(n int) string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&63, pid&255, 1+n)
}

// program is mlb with its HAProxy.
type program struct {
	dir, host string
	cmd       *exec.Cmd
	ended     chan struct{}
}

const configFile = "haproxy.cfg"

func (p *program) path(name string) string { return filepath.Join(p.dir, name) }

// startMLB starts mlb and does not wait.
func startMLB(ctx context.Context, o options, dir, master string) (*program, error) {
	p := &program{dir: dir, host: loopback(0), ended: make(chan struct{})}
	out, err := os.Create(p.path("log"))
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the process has its own copy
	p.cmd = exec.CommandContext(ctx, o.mlb, "sse", "-m", master, "--group", "external",
		"--http-bind", p.host+":8080", "--https-bind", p.host+":8443", "--appid-bind", p.host+":9091",
		"--stats-bind", p.host+":9090", "--bind-address", p.host, "--haproxy-config", p.path(configFile),
		"--state-dir", p.path("state"), "--server-state-dir", p.path("servers"), "--socket-dir", p.path("run"),
		"--ssl-dir", p.path("ssl"), "--haproxy-binary", o.haproxy, "--min-reload-interval", o.interval.String())
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append(p.cmd.Environ(), "PORTS=9090")
	// An interrupt is for this process, which ends mlb in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
	return p, nil
}

// stop ends mlb, which ends HAProxy.
func (p *program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// ready waits until mlb says that it has done what it can.
func (p *program) ready(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.host+":9090/_mlb/ready", http.NoBody)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close() // the status is all
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ticker.C:
		case <-p.ended:
			const most = 2000
			log, err := os.ReadFile(p.path("log"))
			return errors.Join(fmt.Errorf("mlb has ended (%s):\n%s", p.cmd.ProcessState, log[max(0, len(log)-most):]), err)
		case <-ctx.Done():
			return fmt.Errorf("mlb is not ready: %w", ctx.Err())
		}
	}
}

// report prints what was seen.
func report(out io.Writer, r result) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	c := r.changes
	for _, line := range []string{
		fmt.Sprintf("events\t%d in %s", c.Events, c.Took.Round(10*time.Millisecond)),
		fmt.Sprintf("of changes\t%d scaled, %d killed, %d renamed, %d created, %d deleted", c.Scaled, c.Killed, c.Renamed, c.Created, c.Deleted),
		fmt.Sprintf("passes\t%d that changed servers, one at a time", r.passes),
		fmt.Sprintf("reloads\t%d in %s, the closest two %s apart", r.seen.Reloads, r.seen.Took.Round(10*time.Millisecond), r.seen.Gap.Round(10*time.Millisecond)),
		fmt.Sprintf("workers\tat most %d", r.seen.Workers),
		fmt.Sprintf("exact\t%s after the last change", r.exact.Round(10*time.Millisecond)),
	} {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return w.Flush()
}
