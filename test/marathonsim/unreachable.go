package marathonsim

import (
	"encoding/json"
	"fmt"
	"slices"
)

// LoseAgent cuts an agent, by its name, off from Marathon: its tasks go on, but
// are reported unreachable and, after what the app's unreachableStrategy says,
// replaced and then forgotten. Generations up to 1.3 report them lost and replace
// them at once; from 0.15 on they stay listed.
func (c *Cluster) LoseAgent(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	agent, err := c.agent(name)
	if err != nil {
		return err
	}
	agent.lost = true
	for _, a := range slices.Clone(c.order) {
		for _, t := range slices.Clone(a.tasks) {
			if t.agent == agent && t.state == stateRunning {
				c.lose(t)
			}
		}
		c.touch(a)
	}
	return nil
}

// lose reports the task of an agent that is gone. c.mu is held.
func (c *Cluster) lose(t *task) {
	if !c.features.lostState {
		c.setState(t, stateUnreachable, "agent is unreachable")
		c.giveUp(t)
		return
	}
	c.setState(t, stateLost, "agent is unreachable")
	if c.features.keepLost {
		t.inactive = true
	} else {
		c.expunge(t)
	}
}

// expunge forgets a task that may still be there. c.mu is held.
func (c *Cluster) expunge(t *task) {
	t.expunged = true
	t.agent.forgotten = append(t.agent.forgotten, t)
	c.remove(t)
}

// giveUp starts the clocks of the unreachable strategy. The string "disabled"
// means never. c.mu is held.
func (c *Cluster) giveUp(t *task) {
	var strategy struct {
		Inactive float64 `json:"inactiveAfterSeconds"`
		Expunge  float64 `json:"expungeAfterSeconds"`
	}
	if err := json.Unmarshal(t.def.Unreachable, &strategy); err != nil {
		return // "disabled"
	}
	inactive := func() {
		if t.state == stateUnreachable && !t.inactive && !t.expunged {
			t.inactive = true
			t.json = nil
			c.instanceChanged(t, "UnreachableInactive")
			c.touch(t.app)
		}
	}
	expunge := func() {
		if t.state == stateUnreachable && !t.expunged {
			c.expunge(t)
			c.touch(t.app)
		}
	}
	if strategy.Expunge == 0 {
		expunge()
		return
	}
	if strategy.Inactive == 0 {
		inactive()
	} else {
		c.after(c.options.scaled(strategy.Inactive), inactive)
	}
	c.after(c.options.scaled(strategy.Expunge), expunge)
}

// ReturnAgent ends what [Cluster.LoseAgent] began. Tasks that Marathon still
// knows run again; those it has forgotten are killed.
func (c *Cluster) ReturnAgent(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	agent, err := c.agent(name)
	if err != nil {
		return err
	}
	agent.lost = false
	for _, a := range slices.Clone(c.order) {
		for _, t := range slices.Clone(a.tasks) {
			if t.agent == agent && t.unreachable() {
				t.inactive = false
				c.setState(t, stateRunning, "")
			}
		}
		c.touch(a)
	}
	for _, t := range slices.Clone(agent.forgotten) {
		c.kill(t)
	}
	agent.forgotten = nil
	return nil
}

// unreachable reports whether the task's agent is gone.
func (t *task) unreachable() bool {
	return t.state == stateUnreachable || t.state == stateLost
}

func (c *Cluster) agent(name string) (*agentState, error) {
	for _, a := range c.agents {
		if a.Name == name {
			return a, nil
		}
	}
	return nil, fmt.Errorf("agent %s does not exist", name)
}
