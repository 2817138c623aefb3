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
	"strconv"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/runtime"
	"mlb/test/bench/stage"
)

// listPath is the question for all apps.
const listPath = "/v2/apps?embed=apps.tasks"

// start is one cold start with its floor.
type start struct {
	// mlb is how long mlb took from its start until it said that all routes are there,
	// haproxy how long HAProxy by itself with the same file, list how long the bare
	// program took to fetch and decode the list.
	mlb, haproxy, list time.Duration
}

// floor is what a start cannot do without.
func (s start) floor() time.Duration { return s.haproxy + s.list }

// start starts mlb where nothing was before, and looks whether all routes are there.
func (a *arena) start(ctx context.Context, n int) (s start, err error) {
	if s.list, err = a.readList(ctx); err != nil {
		return s, err
	}
	a.Dir = filepath.Join(a.dir, "mlb"+strconv.Itoa(n))
	if err = stage.StartMLB(ctx, a.o.programs, a.Scene); err != nil {
		return s, err
	}
	if err = a.Ready(ctx, a.client); err != nil {
		return s, err
	}
	s.mlb = stage.Now() - a.Began
	return s, a.verify(ctx)
}

// verify looks at HAProxy's servers: each task has one in rotation. And at all virtual
// hosts: a task answers.
func (a *arena) verify(ctx context.Context) error {
	servers, err := runtime.NewMasterSocket(filepath.Join(a.Dir, stage.MasterSocket), zap.NewNop()).Servers(ctx)
	if err != nil {
		return err
	}
	ready := 0
	for _, s := range servers {
		if s.Port == a.TaskPort && s.InRotation() {
			ready++
		}
	}
	if ready != a.Tasks() {
		return fmt.Errorf("%d servers in rotation, want %d", ready, a.Tasks())
	}
	for app := range a.Apps {
		if err := a.visit(ctx, app); err != nil {
			return err
		}
	}
	return nil
}

// visit asks for the virtual host of an app.
func (a *arena) visit(ctx context.Context, app int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.Host+":8080/", http.NoBody)
	if err != nil {
		return err
	}
	request.Host = stage.VirtualHost(app)
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	_, err = io.Copy(io.Discard, response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || response.Header.Get(stage.TaskHeader) == "") {
		err = fmt.Errorf("%s: %s, want an answer of a task", request.Host, response.Status)
	}
	return err
}

// again ends mlb with its HAProxy, and measures HAProxy by itself with the file that
// mlb leaves.
func (a *arena) again(ctx context.Context, s *start) error {
	if err := a.Program.Stop(); err != nil {
		return err
	}
	a.Program = nil
	note := filepath.Join(a.dir, "haproxy.pid")
	// The parent ends when everything is bound and the process that serves exists.
	cmd := exec.CommandContext(ctx, a.o.programs.HAProxy, "-D", "-p", note, "-f", filepath.Join(a.Dir, stage.ConfigFile))
	cmd.Dir = a.Dir
	begin := stage.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("haproxy by itself: %w\n%.2000s", err, out)
	}
	s.haproxy = stage.Now() - begin
	text, err := os.ReadFile(note)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil {
		return err
	}
	return stage.EndProcess(ctx, pid)
}

// roleReader is the first word of the process that fetches and decodes the list.
const roleReader = "read"

// readList returns how long the bare program takes from its start to its end.
func (a *arena) readList(ctx context.Context) (time.Duration, error) {
	begin := stage.Now()
	c, out, err := stage.Role(ctx, roleReader, a.Master+listPath, filepath.Join(a.dir, "read"))
	if err != nil {
		return 0, err
	}
	<-c.Ended
	took := stage.Now() - begin
	var apps int
	err = json.NewDecoder(out).Decode(&apps)
	if err = errors.Join(err, out.Close(), c.Stop()); err == nil && apps != a.Apps {
		err = fmt.Errorf("%d apps read, want %d", apps, a.Apps)
	}
	return took, err
}

// read fetches and decodes the list of apps, of which it takes what no balancer can do
// without, and prints how many there are.
func read(ctx context.Context, arg string, out io.Writer) error {
	var master string
	if err := json.Unmarshal([]byte(arg), &master); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, master, http.NoBody)
	if err != nil {
		return err
	}
	response, err := new(http.Transport).RoundTrip(request) // the process ends with it
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	var list struct {
		Apps []struct {
			ID     string
			Labels map[string]string
			Tasks  []struct {
				ID, Host, State string
				Ports           []int
				IPAddresses     []struct{ IPAddress string }
			}
			Container struct {
				PortMappings []struct{ ContainerPort, ServicePort int }
			}
		}
	}
	if err = json.NewDecoder(response.Body).Decode(&list); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, len(list.Apps))
	return err
}
