package marathonsim

import "go.uber.org/zap"

// elect makes the master the leader. c.mu is held.
func (c *Cluster) elect(i int) {
	c.leader = i
	c.electing = false
	c.term++
	close(c.termChange)
	c.termChange = make(chan struct{})
	c.log.Info("master elected", zap.String("url", c.masters[i].url()))
	if c.options.StreamDelay <= 0 {
		c.lead()
	} else {
		term := c.term
		c.after(c.options.StreamDelay, func() {
			if c.term == term && c.leader == i {
				c.lead()
			}
		})
	}
	c.changed()
}

// lead does what a new leader does: it registers with Mesos and takes up health
// checks and deployments. Tasks that have something to report wait for it, see
// report. c.mu is held.
func (c *Cluster) lead() {
	c.publishing = true
	c.publish("scheduler_registered_event", member{"frameworkId", frameworkID}, member{"master", "mesos-1.example.com"})
	for _, a := range c.order {
		c.announceChecks(a.def)
	}
	for _, d := range append([]*deployment(nil), c.deployments...) {
		c.publishDeployment("deployment_info", d, member{"currentStep", d.steps[d.step].show(c.features)})
		c.advance(d)
	}
	for _, a := range append([]*appState(nil), c.order...) {
		c.reconcile(a)
	}
	c.changed()
}

// abdicate ends the leadership of the master: streams end, and what only the
// leader's memory holds is forgotten (Marathon facts 4.3). Another master is
// elected after a while. c.mu is held.
func (c *Cluster) abdicate() {
	if c.leader < 0 {
		return
	}
	c.log.Info("leader lost", zap.String("url", c.masters[c.leader].url()))
	c.leader = -1
	c.publishing = false
	c.closeStreams()
	for _, t := range c.taskIndex {
		t.forgetResults(c.features)
	}
	c.changed()
}

// resign lets the leader, if there is one, give up at once; its process ends a
// little later.
func (c *Cluster) resign() {
	c.mu.Lock()
	defer c.mu.Unlock()
	leader := c.leader
	if leader < 0 {
		return
	}
	c.abdicate()
	c.callElection(leader)
	if !c.features.leaderStays {
		c.goroutine(func() { _ = c.changeLeader(leader) }) // it fails when the cluster is being closed
	}
}

// callElection elects a living master after the usual delay, the next one after
// the one that led before. c.mu is held.
func (c *Cluster) callElection(last int) {
	if c.electing || c.leader >= 0 {
		return
	}
	c.electing = true
	c.after(c.options.ElectionDelay, func() {
		c.electing = false
		if c.leader >= 0 {
			return
		}
		for k := range c.masters {
			i := (last + 1 + k) % len(c.masters)
			if c.masters[i].alive {
				c.elect(i)
				return
			}
		}
	})
}
