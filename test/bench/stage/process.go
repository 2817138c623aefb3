package stage

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

// Patience is how long anything may take: thousands of apps take their time to start
// on a small machine.
const Patience = 2 * time.Minute

// Child is a process of this run.
type Child struct {
	cmd *exec.Cmd
	in  io.Closer // ends it, if not nil
	log string    // file of its messages
	err error     // how it ended, valid then
	// Ended is closed when it has ended.
	Ended chan struct{}
}

// begin starts a command whose messages go to a file. The end of a context must not
// end it: a killed mlb leaves its HAProxy behind.
func begin(cmd *exec.Cmd, log string) (*Child, error) {
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
	c := &Child{cmd: cmd, log: log, Ended: make(chan struct{})}
	go func() {
		defer close(c.Ended)
		c.err = cmd.Wait()
	}()
	return c, nil
}

// Role starts this program again with two words, the name of a role and what it has to
// know as JSON, and returns what it prints. It ends when its input does.
func Role(ctx context.Context, name string, what any, log string) (*Child, io.ReadCloser, error) {
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

// PID is the process's id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Kill ends the process at once, and does not wait.
func (c *Child) Kill() error { return c.cmd.Process.Kill() }

// Stop ends the process, asks it at first, and waits.
func (c *Child) Stop() error {
	if c.in != nil {
		_ = c.in.Close() // it may have ended
	} else if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.Ended:
		return nil
	case <-time.After(Patience):
		return errors.Join(fmt.Errorf("%s does not end", c.cmd.Path), c.cmd.Process.Kill())
	}
}

// Failure says why a process is not there any more, nil while it is.
func (c *Child) Failure() error {
	select {
	case <-c.Ended:
		const most = 2000
		text, err := os.ReadFile(c.log)
		return errors.Join(fmt.Errorf("%s has ended (%w):\n%s", filepath.Base(c.cmd.Path), c.err, text[max(0, len(text)-most):]), err)
	default:
		return nil
	}
}

// Programs are the programs to start.
type Programs struct {
	// HAProxy is HAProxy's, MLB the one that is measured.
	HAProxy, MLB string
}

// Build builds mlb in a folder and returns where it is.
func Build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "mlb")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "mlb/cmd/mlb")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mlb: %w\n%s", err, out)
	}
	return program, nil
}

// StartMLB starts mlb with a HAProxy at a scene's address, and does not wait. Its log
// is in the scene's folder, which is made.
func StartMLB(ctx context.Context, p Programs, s *Scene) error {
	dir, host := s.Dir, s.Host
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	flags := []string{
		"-m", s.Master, "--http-bind", host + ":8080", "--https-bind", host + ":8443", "--appid-bind", host + ":9091",
		"--stats-bind", host + ":9090", "--bind-address", host, "--haproxy-config", in(ConfigFile),
		"--state-dir", in("state"), "--server-state-dir", in("servers"), "--socket-dir", in("run"),
		"--ssl-dir", in("ssl"), "--haproxy-binary", p.HAProxy,
	}
	head, err := head(ctx, p.MLB, dir, flags)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.MLB, append([]string{"sse", "--group", "external"}, flags...)...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "PORTS=9090", "HAPROXY_HEAD="+head)
	s.Began = Now()
	s.Program, err = begin(cmd, in(logFile))
	return err
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

// Names in the folder of an mlb.
const (
	ConfigFile   = "haproxy.cfg"
	MasterSocket = "run/master.sock"
	logFile      = "log"
)

// TaskHeader is the header in which a task tells its address.
const TaskHeader = "x-task"

// StartTasks starts the HAProxy that plays all tasks: it answers at the port of every
// loopback address and says at which one. It soon closes connections that nobody uses:
// while HAProxy has one a server cannot be removed.
func StartTasks(ctx context.Context, p Programs, dir string, port int) (*Child, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, ConfigFile)
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
`, port, TaskHeader), 0o600); err != nil {
		return nil, err
	}
	c, err := begin(exec.CommandContext(context.WithoutCancel(ctx), p.HAProxy, "-db", "-f", file), filepath.Join(dir, logFile))
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return c, Eventually(ctx, "tasks answer", func() error {
		if err := c.Failure(); err != nil {
			return Final{err}
		}
		_, err := Get(ctx, client, fmt.Sprintf("http://%s:%d", Loopback(0), port))
		return err
	})
}

// Processes returns HAProxy's processes as the statistics port tells them, the master
// first.
func Processes(ctx context.Context, client *http.Client, host string) ([]int, error) {
	text, err := Get(ctx, client, "http://"+host+":9090/_haproxy_getpids")
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

// EndProcess ends a process that is not a child and waits for it.
func EndProcess(ctx context.Context, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end process %s: %w", strconv.Itoa(pid), err)
	}
	return Eventually(ctx, "the process has ended", func() error {
		if err := syscall.Kill(pid, 0); err == nil {
			return fmt.Errorf("process %d is there", pid)
		}
		return nil
	})
}

// Final is an error that no waiting cures.
type Final struct{ error }

// Eventually waits until check returns nil.
func Eventually(ctx context.Context, what string, check func() error) error {
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		if f, ok := errors.AsType[Final](err); ok {
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

// Get gets a document; any status but 200 is an error.
func Get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	return Ask(ctx, client, http.MethodGet, url, "")
}

// Ask sends a request and returns the body of its answer; any status but 200 is an error.
func Ask(ctx context.Context, client *http.Client, method, url, body string) ([]byte, error) {
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

// Compressed gets a document from one who is told that it may be compressed, and drops
// it.
func Compressed(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	if _, err = io.Copy(io.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("get %s: %s", url, response.Status)
	}
	return err
}
