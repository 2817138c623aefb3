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
	"sync/atomic"
	"syscall"
	"time"

	"mlb/test/balancer"
	"mlb/test/storm"
)

const configFile = "haproxy.cfg"

// program is mlb with its HAProxy. Its methods are for one goroutine, except for pid and
// those that only ask.
type program struct {
	o         options
	dir, host string
	masters   []string
	web       *http.Transport

	cmd   *exec.Cmd
	ended chan struct{}
	alive atomic.Int64 // the process id, 0 while mlb is killed
}

func (p *program) path(name string) string { return filepath.Join(p.dir, name) }

// start starts mlb and does not wait. Marathon is read as a whole more often than by
// default, since a day passes in minutes.
func (p *program) start(ctx context.Context) error {
	out, err := os.OpenFile(p.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // the process has its own copy
	line := []string{"sse", "--group", "external", "--health-check", "--resync-interval", "15s", "--max-backoff", "3"}
	for _, m := range p.masters {
		line = append(line, "-m", m)
	}
	line = append(line,
		"--http-bind", p.host+":8080", "--https-bind", p.host+":8443", "--appid-bind", p.host+":9091",
		"--stats-bind", p.host+":9090", "--bind-address", p.host, "--haproxy-config", p.path(configFile),
		"--state-dir", p.path("state"), "--server-state-dir", p.path("servers"), "--socket-dir", p.path("run"),
		"--ssl-dir", p.path("ssl"), "--haproxy-binary", p.o.haproxy)
	// The end of the context must not end it: it is asked to.
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), p.o.mlb, line...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, out, out
	p.cmd.Env = append(p.cmd.Environ(), "PORTS=9090")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for this process
	if err := p.cmd.Start(); err != nil {
		return err
	}
	cmd, ended := p.cmd, make(chan struct{})
	p.ended = ended
	p.alive.Store(int64(cmd.Process.Pid))
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
	return nil
}

// kill ends mlb as a power failure would; HAProxy goes on.
func (p *program) kill() error {
	p.alive.Store(0)
	err := p.cmd.Process.Kill()
	<-p.ended
	return err
}

// failure says that mlb has ended by itself.
func (p *program) failure() error {
	select {
	case <-p.ended:
		if p.alive.Load() != 0 {
			return fmt.Errorf("mlb has ended by itself: %s", p.cmd.ProcessState)
		}
	default:
	}
	return nil
}

// stop ends mlb, which ends HAProxy, and says what is left of them.
func (p *program) stop(ctx context.Context) error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	processes := (&balancer.Balancer{Dir: p.dir}).Processes
	ctx, cancel := context.WithTimeout(ctx, p.o.patience)
	defer cancel()
	err := storm.Eventually(ctx, func() error {
		if left := processes(); len(left) > 0 {
			return fmt.Errorf("processes left: %v", left)
		}
		return nil
	})
	for _, pid := range processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by now
	}
	return err
}

// ask gets a path from the statistics port; an answer that is not 200 is an error.
func (p *program) ask(ctx context.Context, path string) (string, error) {
	a, err := p.request(ctx, p.host+":9090", "", path)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%s: %d: %.200s", path, a.status, a.body)
	}
	return a.body, err
}

// answer is what came back; task is empty when no task answered.
type answer struct {
	status     int
	body, task string
}

// request sends one request on a new connection.
func (p *program) request(ctx context.Context, address, host, path string) (answer, error) {
	const most = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	request.Host = host
	response, err := p.web.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	body, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, body: string(body), task: response.Header.Get("X-Task")}, err
}

// visit asks a virtual host.
func (p *program) visit(ctx context.Context, host, path string) (answer, error) {
	return p.request(ctx, p.host+":8080", host, path)
}
