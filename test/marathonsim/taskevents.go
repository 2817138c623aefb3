package marathonsim

// condition returns the condition of an instance in a task state: TASK_RUNNING is
// Running.
func condition(state string) string {
	return string(state[5]) + lower(state[6:])
}

func lower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] |= 0x20
	}
	return string(b)
}

// statusUpdate publishes status_update_event, if the generation does so for the
// task's state. c.mu is held.
func (c *Cluster) statusUpdate(t *task, message string) {
	if t.def.Pod != nil {
		c.podStatusUpdate(t, message)
		return
	}
	if c.features.fewUpdates && t.state == stateStarting {
		return
	}
	members := []member{
		{"slaveId", t.agent.id},
		{"taskId", t.id},
		{"taskStatus", t.state},
		{"message", message},
		{"appId", t.app.id},
		{"host", t.agent.Name},
	}
	if c.features.addresses {
		members = append(members, member{"ipAddresses", notNil(t.addresses())})
	}
	if t.state == stateStaging {
		members[0].value = "n/a" // the agent has not said anything yet
	}
	c.publish("status_update_event", append(members, member{"ports", t.ports}, member{"version", t.def.Version})...)
}

// instanceChanged publishes instance_changed_event. c.mu is held.
func (c *Cluster) instanceChanged(t *task, condition string) {
	if !c.features.instances {
		return
	}
	var agent, host *string
	if t.agent != nil {
		agent, host = &t.agent.id, &t.agent.Name
	}
	c.publish("instance_changed_event",
		member{"instanceId", t.instance}, member{"condition", condition}, member{"runSpecId", t.app.id},
		member{"agentId", agent}, member{"host", host}, member{"runSpecVersion", t.def.Version})
}

// instanceHealthChanged publishes instance_health_changed_event. c.mu is held.
func (c *Cluster) instanceHealthChanged(t *task, healthy bool) {
	if c.features.instances {
		c.publish("instance_health_changed_event", member{"instanceId", t.instance}, member{"runSpecId", t.app.id},
			member{"healthy", healthy}, member{"runSpecVersion", t.def.Version})
	}
}

// unhealthyKill announces that a task is killed for its health. c.mu is held.
func (c *Cluster) unhealthyKill(t *task, cause string) {
	if !c.features.killEvent {
		return
	}
	kind, members := "unhealthy_task_kill_event", []member{{"appId", t.app.id}, {"taskId", t.id}}
	if c.features.instances {
		kind, members = "unhealthy_instance_kill_event", append(members, member{"instanceId", t.instance})
	}
	c.publish(kind, append(members, member{"version", t.def.Version}, member{"reason", cause},
		member{"host", t.agent.Name}, member{"slaveId", t.agent.id})...)
}

// unknownTerminated announces the end of a task that Marathon had forgotten. c.mu
// is held.
func (c *Cluster) unknownTerminated(t *task, state string) {
	switch {
	case c.features.instances:
		c.publish("unknown_instance_terminated_event", member{"instanceId", t.instance},
			member{"runSpecId", t.app.id}, member{"condition", condition(state)})
	case c.features.unknownTask:
		c.publish("unknown_task_terminated_event", member{"taskId", t.id},
			member{"runSpecId", t.app.id}, member{"status", condition(state)})
	}
}

// nameOf names a task in events about its health. c.mu is held.
func (c *Cluster) nameOf(t *task) member {
	if c.features.instances {
		return member{"instanceId", t.instance}
	}
	return member{"taskId", t.id}
}
