package launcher

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// command is one program of a task.
type command struct {
	path string
	args []string
	dir  string
	env  []string
}

// program is a task that consists of real processes, run one after the other,
// each in a process group of its own that is ended as a whole.
type program struct {
	dir      string // removed at the end
	commands []command

	stop  chan time.Duration
	crash chan struct{}
	done  chan struct{}
	exit  Exit // written before done is closed
	once  sync.Once
	quit  sync.Once
}

// run starts the first command, and the others as the ones before end well. dir
// is the task's directory: output goes there, and it is removed at the end.
func run(dir string, commands []command) (*program, error) {
	p := &program{
		dir: dir, commands: commands,
		stop: make(chan time.Duration, 1), crash: make(chan struct{}), done: make(chan struct{}),
	}
	first, err := p.start(commands[0])
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go func() {
		defer close(p.done)
		p.exit = p.follow(first)
		if err := os.RemoveAll(dir); err != nil {
			p.exit.Message += ", and " + err.Error()
		}
	}()
	return p, nil
}

// follow waits for each command in turn and says how the last one ended.
func (p *program) follow(running *exec.Cmd) Exit {
	for i := 0; ; i++ {
		exit, asked := p.wait(running)
		if asked || exit.Code != 0 || i+1 == len(p.commands) {
			return exit
		}
		var err error
		if running, err = p.start(p.commands[i+1]); err != nil {
			return Exit{Code: 127, Message: err.Error()}
		}
	}
}

func (p *program) start(c command) (*exec.Cmd, error) {
	out, err := os.OpenFile(filepath.Join(p.dir, "output"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.path, err)
	}
	defer func() { _ = out.Close() }()
	// Not CommandContext: ending the process is the work of wait, which knows
	// about grace periods and process groups.
	cmd := exec.Command(c.path, c.args...) //nolint:noctx // see above
	cmd.Dir = c.dir
	cmd.Env = c.env
	cmd.Stdout = out
	cmd.Stderr = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.path, err)
	}
	return cmd, nil
}

// wait returns when the command and its group have ended, and whether somebody
// asked for that.
func (p *program) wait(cmd *exec.Cmd) (exit Exit, asked bool) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	select {
	case err = <-ended:
	case grace := <-p.stop:
		asked = true
		signalGroup(cmd, syscall.SIGTERM)
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case err = <-ended:
		case <-timer.C:
			signalGroup(cmd, syscall.SIGKILL)
			err = <-ended
		case <-p.crash:
			signalGroup(cmd, syscall.SIGKILL)
			err = <-ended
		}
	case <-p.crash:
		asked = true
		signalGroup(cmd, syscall.SIGKILL)
		err = <-ended
	}
	signalGroup(cmd, syscall.SIGKILL) // what the leader of the group left behind
	return p.describe(cmd, err), asked
}

func (p *program) describe(cmd *exec.Cmd, err error) Exit {
	exit := Exit{Code: cmd.ProcessState.ExitCode()}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Code = 128 + int(status.Signal())
	}
	exit.Message = fmt.Sprintf("Command exited with status %d", exit.Code)
	if err != nil {
		if last := lastLine(filepath.Join(p.dir, "output")); last != "" {
			exit.Message += ": " + last
		}
	}
	return exit
}

func signalGroup(cmd *exec.Cmd, sig syscall.Signal) {
	_ = syscall.Kill(-cmd.Process.Pid, sig) // ESRCH when the whole group has ended is what we want
}

// lastLine returns the last line of the file at path, to say why a task failed.
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	b = bytes.TrimSpace(b)
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}

// Done implements [Process].
func (p *program) Done() <-chan struct{} { return p.done }

// Exit implements [Process].
func (p *program) Exit() Exit { return p.exit }

// Stop implements [Process].
func (p *program) Stop(grace time.Duration) {
	p.quit.Do(func() { p.stop <- grace })
}

// Crash implements [Process].
func (p *program) Crash() {
	p.once.Do(func() { close(p.crash) })
}

// find returns the path of a program, also when it lies where an ordinary user's
// PATH does not look.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/libexec"} {
		if other, otherErr := exec.LookPath(filepath.Join(dir, name)); otherErr == nil {
			return other, nil
		}
	}
	return "", fmt.Errorf("find %s: %w", name, err)
}
