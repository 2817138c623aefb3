package marathonsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"

	"mlb/test/marathonsim/launcher"
)

// Do sends a request to Marathon's API without a network: it acts on the leader
// and ignores faults and credentials. It returns the status and the body.
func (c *Cluster) Do(method, path, body string) (int, []byte) {
	r := httptest.NewRequestWithContext(context.Background(), method, path, bytes.NewBufferString(body))
	r.Header.Set("Accept", "application/json")
	a := c.resource(c.masters[max(c.Leader(), 0)], r, Identity{})
	return a.status, a.body
}

// do sends a request that must succeed, by force: it does not wait for
// running deployments.
func (c *Cluster) do(method, path, body string) error {
	status, answer := c.Do(method, path+"?force=true", body)
	if status > 299 {
		return fmt.Errorf("%s %s: status %d: %s", method, path, status, answer)
	}
	return nil
}

// Deploy creates or replaces what the document describes: a group when it has
// "apps" or "groups", otherwise an app. The document is one that Marathon takes.
// It returns when Marathon has accepted, not when tasks run: see
// [Cluster.WaitRunning].
func (c *Cluster) Deploy(document string) error {
	in, err := parseFields([]byte(document))
	if err != nil {
		return err
	}
	if in.has("apps") || in.has("groups") {
		return c.do(http.MethodPut, "/v2/groups", document)
	}
	var id string
	if err := json.Unmarshal(in["id"], &id); err != nil {
		return fmt.Errorf("read the id of the app: %w", err)
	}
	return c.do(http.MethodPut, "/v2/apps/"+id, document)
}

// Scale changes the number of instances of an app.
func (c *Cluster) Scale(app string, instances int) error {
	return c.do(http.MethodPut, "/v2/apps/"+app, `{"instances":`+strconv.Itoa(instances)+`}`)
}

// Restart replaces all tasks of an app, as its upgrade strategy says.
func (c *Cluster) Restart(app string) error {
	return c.do(http.MethodPost, "/v2/apps/"+app+"/restart", "")
}

// Delete removes an app or, when there is no app of that id, a group.
func (c *Cluster) Delete(id string) error {
	if status, _ := c.Do(http.MethodGet, "/v2/apps/"+id, ""); status == http.StatusOK {
		return c.do(http.MethodDelete, "/v2/apps/"+id, "")
	}
	return c.do(http.MethodDelete, "/v2/groups/"+id, "")
}

// KillTask lets Marathon kill a task, which it then replaces.
func (c *Cluster) KillTask(id string) error {
	t, err := c.task(id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kill(t)
	c.touch(t.app)
	return nil
}

// CrashTask lets a task die by itself; Marathon hears of it and replaces it after
// the app's backoff.
func (c *Cluster) CrashTask(id string) error {
	t, err := c.task(id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	process := t.process
	c.mu.Unlock()
	if process == nil {
		return fmt.Errorf("task %s has no process", id)
	}
	process.Crash()
	return nil
}

// FailTask makes the probes of Marathon's health checks fail for a task, and a
// task in this process answer every request with 503.
func (c *Cluster) FailTask(id string) error { return c.breakTask(id, true) }

// RecoverTask undoes [Cluster.FailTask].
func (c *Cluster) RecoverTask(id string) error { return c.breakTask(id, false) }

func (c *Cluster) breakTask(id string, broken bool) error {
	t, err := c.task(id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.override = nil
	if broken {
		t.override = new(bool)
	}
	if b, ok := t.process.(launcher.Breaker); ok {
		b.SetBroken(broken)
	}
	return nil
}

func (c *Cluster) task(id string) (*task, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.taskIndex[id]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("task %s does not exist", id)
}

// Leader returns the index of the leading master, or -1.
func (c *Cluster) Leader() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader
}

// ChangeLeader makes the leader give up: streams end, its process exits and comes
// back after Options.RestartDelay, and another master (with one master, itself) is
// elected. It returns when the process has exited. In generations up to 1.1 the
// process stays.
func (c *Cluster) ChangeLeader() error {
	leader := c.Leader()
	if leader < 0 {
		return errors.New("change the leader: there is none")
	}
	return c.changeLeader(leader)
}

func (c *Cluster) changeLeader(leader int) error {
	if c.features.leaderStays {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.leader == leader {
			c.abdicate()
			c.callElection(leader)
		}
		return nil
	}
	if err := c.StopMaster(leader); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goroutine(func() {
		if c.sleep(c.options.RestartDelay) {
			_ = c.StartMaster(c.ctx, leader) // fails when the cluster is being closed, which is no matter
		}
	})
	return nil
}

// StopMaster ends a master's process. Its address stays reserved to it only in so
// far as nobody else takes it. When it was the leader, another one is elected.
func (c *Cluster) StopMaster(index int) error {
	m := c.masters[index]
	c.mu.Lock()
	led := c.leader == index
	if led {
		c.abdicate()
	}
	c.mu.Unlock()
	err := m.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if led {
		c.callElection(index)
	}
	return err
}

// StartMaster starts a stopped master again, on the same address.
func (c *Cluster) StartMaster(ctx context.Context, index int) error {
	if err := c.masters[index].start(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callElection(index - 1)
	return nil
}

// DropStreams cuts every event stream; the leader stays.
func (c *Cluster) DropStreams() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeStreams()
	c.changed()
}

// Streams returns how many event streams the leader serves.
func (c *Cluster) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)
}
