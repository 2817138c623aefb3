package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long anything may take: thousands of apps take their time to start
// on a small machine.
const patience = 2 * time.Minute

// child is a process of this run.
type child struct {
	cmd   *exec.Cmd
	in    io.Closer // ends it, if not nil
	log   string    // file of its messages
	ended chan struct{}
	err   error // how it ended, valid then
}

// begin starts a command whose messages go to a file. The end of a context must not
// end it: a killed mlb leaves its HAProxy behind.
func begin(cmd *exec.Cmd, log string) (*child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the process has its own copy
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	cmd.Stderr = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for this process, which ends them in order
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, log: log, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.err = cmd.Wait()
	}()
	return c, nil
}

// role starts this program again in another role, and returns what it prints.
func role(ctx context.Context, name string, what any, log string) (*child, io.ReadCloser, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	arg, err := json.Marshal(what)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, name, string(arg))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout = w
	c, err := begin(cmd, log)
	_ = w.Close() // the process has its own copy
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	c.in = in
	return c, r, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the process, asks it at first, and waits.
func (c *child) stop() error {
	if c.in != nil {
		_ = c.in.Close() // it may have ended
	} else if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
		return nil
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s does not end", c.cmd.Path), c.cmd.Process.Kill())
	}
}

// failure says why a process is not there any more, nil while it is.
func (c *child) failure() error {
	select {
	case <-c.ended:
		const most = 2000
		text, err := os.ReadFile(c.log)
		return errors.Join(fmt.Errorf("%s has ended (%w):\n%s", filepath.Base(c.cmd.Path), c.err, text[max(0, len(text)-most):]), err)
	default:
		return nil
	}
}

// build builds mlb.
func build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "mlb")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "mlb/cmd/mlb")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mlb: %w\n%s", err, out)
	}
	return program, nil
}

// startMLB starts mlb with a HAProxy on addresses of its own, and does not wait.
func startMLB(ctx context.Context, o options, dir, host, master string) (*child, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	flags := []string{
		"-m", master, "--http-bind", host + ":8080", "--https-bind", host + ":8443", "--appid-bind", host + ":9091",
		"--stats-bind", host + ":9090", "--bind-address", host, "--haproxy-config", in(configFile),
		"--state-dir", in("state"), "--server-state-dir", in("servers"), "--socket-dir", in("run"),
		"--ssl-dir", in("ssl"), "--haproxy-binary", o.haproxy,
	}
	head, err := head(ctx, o.mlb, dir, flags)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), o.mlb, append([]string{"sse", "--group", "external"}, flags...)...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "PORTS=9090", "HAPROXY_HEAD="+head)
	return begin(cmd, in("log"))
}

// head returns what mlb writes at the top of its configuration, with two changes. It
// allows less connections, because of the files that HAProxy may open mlb keeps only a
// quarter for service ports and checks. And it keeps connections to tasks: thousands of
// new ones in a second fill the system's table of connections, and those that find it
// full wait for a second.
func head(ctx context.Context, program, dir string, flags []string) (string, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"render", "--group", "nobody"}, flags...)...)
	cmd.Dir = dir
	var failure bytes.Buffer
	cmd.Stderr = &failure
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("mlb render: %w\n%s", err, failure.Bytes())
	}
	head, _, found := strings.Cut(string(text), "\nfrontend ")
	if _, rest, ok := strings.Cut(head, "\nglobal\n"); ok {
		head = "global\n" + rest
	}
	limit := regexp.MustCompile(`(?m)^  maxconn \d+$`)
	first := limit.FindStringIndex(head)
	if !found || first == nil {
		return "", fmt.Errorf("mlb render: no maxconn in\n%.1000s", text)
	}
	head = head[:first[0]] + "  maxconn " + strconv.Itoa(maxConn) + head[first[1]:]
	return strings.ReplaceAll(head, "  option http-server-close\n", ""), nil
}

const (
	configFile   = "haproxy.cfg"
	masterSocket = "run/master.sock"
)

// ready waits until mlb says that it has done what it can.
func (c *child) ready(ctx context.Context, client *http.Client, host string) error {
	return eventually(ctx, "mlb is ready", func() error {
		if err := c.failure(); err != nil {
			return final{err}
		}
		_, err := get(ctx, client, "http://"+host+":9090/_mlb/ready")
		return err
	})
}

// startTasks starts the HAProxy that plays all tasks: it answers at the port of every
// loopback address and says at which one. It soon closes connections that nobody uses:
// while HAProxy has one a server cannot be removed.
func startTasks(ctx context.Context, o options, dir string, port int) (*child, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, configFile)
	if err := os.WriteFile(file, fmt.Appendf(nil, `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 1m
  timeout server 1m
  timeout connect 1m
  timeout http-keep-alive 100ms
frontend tasks
  bind 0.0.0.0:%d interface lo backlog 4096
  http-request return status 200 content-type text/plain hdr %s %%[dst]:%%[dst_port] string ok
`, port, taskHeader), 0o600); err != nil {
		return nil, err
	}
	c, err := begin(exec.CommandContext(context.WithoutCancel(ctx), o.haproxy, "-db", "-f", file), filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	return c, eventually(ctx, "tasks answer", func() error {
		if err := c.failure(); err != nil {
			return final{err}
		}
		p := newProber(fmt.Sprintf("%s:%d", loopback(0), port), "")
		_, err := p.ask(ctx)
		return errors.Join(err, p.close())
	})
}

// processes returns HAProxy's processes as the statistics port tells them, the master
// first.
func processes(ctx context.Context, client *http.Client, host string) ([]int, error) {
	text, err := get(ctx, client, "http://"+host+":9090/_haproxy_getpids")
	if err != nil {
		return nil, err
	}
	var pids []int
	for word := range bytes.FieldsSeq(text) {
		pid, err := strconv.Atoi(string(word))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	if len(pids) < 2 {
		return nil, fmt.Errorf("processes of HAProxy: %q", text)
	}
	return pids, nil
}

// final is an error that no waiting cures.
type final struct{ error }

// eventually waits until check returns nil.
func eventually(ctx context.Context, what string, check func() error) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		if f, ok := errors.AsType[final](err); ok {
			return f.error
		}
		select {
		case <-ticker.C:
		case <-timeout.C:
			return fmt.Errorf("wait until %s: %w", what, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// get gets a document; any status but 200 is an error.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	return ask(ctx, client, http.MethodGet, url, "")
}

func ask(ctx context.Context, client *http.Client, method, url, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.200s", method, url, response.Status, text)
	}
	return text, err
}
