package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Scene is one Marathon with what follows it: a program, usually mlb, and a HAProxy. It
// is for one goroutine.
type Scene struct {
	// Master is Marathon's address. The others are for whoever starts the program: its
	// folder, and the address at which HAProxy serves.
	Master, Dir, Host string
	// Program is what follows Marathon, Began when mlb was started, by [Now].
	Program *Child
	Began   time.Duration

	notes chan Note // what Marathon says
}

// Address is where HAProxy serves an app.
func (s *Scene) Address(app int) string { return s.Host + ":" + strconv.Itoa(FirstService+app) }

// Await returns what Marathon next says about an app's tasks that are in the state.
func (s *Scene) Await(ctx context.Context, app int, state string) (Note, error) {
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		select {
		case n := <-s.notes:
			if n.App == AppID(app) && n.State == state {
				return n, nil
			}
		case <-timeout.C:
			return Note{}, fmt.Errorf("no task of %s is in state %s", AppID(app), state)
		case <-ctx.Done():
			return Note{}, ctx.Err()
		}
	}
}

// forget drops what Marathon has said so far.
func (s *Scene) forget() {
	for {
		select {
		case <-s.notes:
		default:
			return
		}
	}
}

// Put asks Marathon for a number of tasks of an app.
func (s *Scene) Put(ctx context.Context, client *http.Client, app, instances int) error {
	s.forget()
	_, err := Ask(ctx, client, http.MethodPut, s.Master+"/v2/apps"+AppID(app)+"?force=true", fmt.Sprintf(`{"instances":%d}`, instances))
	return err
}

// Kill lets Marathon kill the tasks of an app and replace them.
func (s *Scene) Kill(ctx context.Context, client *http.Client, app int) error {
	s.forget()
	_, err := Ask(ctx, client, http.MethodDelete, s.Master+"/v2/apps"+AppID(app)+"/tasks", "")
	return err
}

// Ready waits until mlb says that it has done what it can.
func (s *Scene) Ready(ctx context.Context, client *http.Client) error {
	return Eventually(ctx, "mlb is ready", func() error {
		if err := s.Program.Failure(); err != nil {
			return Final{err}
		}
		_, err := Get(ctx, client, "http://"+s.Host+":9090/_mlb/ready")
		return err
	})
}

// Idle waits until Marathon has done everything.
func (s *Scene) Idle(ctx context.Context, client *http.Client) error {
	return Eventually(ctx, "no deployment is running", func() error {
		text, err := Get(ctx, client, s.Master+"/v2/deployments")
		if err != nil {
			return Final{err}
		}
		var all []any
		if err := json.Unmarshal(text, &all); err != nil {
			return Final{err}
		}
		if len(all) > 0 {
			return fmt.Errorf("%d are", len(all))
		}
		return nil
	})
}

// Counts returns what was asked so far of a Marathon that is counted.
func (s *Scene) Counts(ctx context.Context, client *http.Client) (Counts, error) {
	var c Counts
	text, err := Get(ctx, client, s.Master+countsPath)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

// Settle waits until the program has done nothing for a moment.
func (s *Scene) Settle(ctx context.Context) {
	const moments, nothing = 4, 200 * time.Microsecond
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	calm, last := 0, CPUTime(s.Program.PID())
	for begin := Now(); calm < moments && Now()-begin < Patience; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		used := CPUTime(s.Program.PID())
		if calm++; used-last > nothing {
			calm = 0
		}
		last = used
	}
}

// Quiet waits until the program has written all that it has to write; pause is the time
// after which it would have begun to. It returns how often the file changed meanwhile.
func (s *Scene) Quiet(ctx context.Context, pause time.Duration) (writes int, err error) {
	before, since := s.Written(), Now()
	err = Eventually(ctx, "nothing is written", func() error {
		if after := s.Written(); after != before {
			before, since = after, Now()
			writes++
		}
		if Now()-since < pause {
			return errors.New("something was")
		}
		return nil
	})
	s.Settle(ctx)
	return writes, err
}

// Written identifies the configuration as it is on disk, and what is on its way
// there.
func (s *Scene) Written() string {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".map" || e.IsDir() || e.Name() == logFile {
			continue
		}
		if info, err := e.Info(); err == nil {
			fmt.Fprintf(&out, "%s %d %s\n", e.Name(), info.Size(), info.ModTime())
		}
	}
	return out.String()
}
