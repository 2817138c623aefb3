package marathonsim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// group is a group of apps. That a group contains an app follows from the ids.
type group struct {
	id           string
	dependencies []string
	version      string
}

// changeSet is one change of apps and groups.
type changeSet struct {
	set          []*definition // created or replaced, in order
	remove       []string      // apps
	groups       []*group      // created or replaced
	removeGroups []string
	reported     string              // the groupId of group_change_success
	kill         map[string][]string // app id → tasks that go when it scales
	restart      bool                // tasks are replaced though nothing differs
	force        bool                // take apps away from running deployments
}

// apply carries out a change as Marathon does: the plan is announced, then the
// change is stored and can be read, then group_change_success and what posted
// publishes, then the deployment runs. prepare makes the change from what is
// stored; it is called with c.mu held and once. apply returns the deployment,
// which may have nothing to do.
func (c *Cluster) apply(prepare func() (*changeSet, error), posted func(*deployment)) (*deployment, error) {
	c.updates.Lock()
	defer c.updates.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.publishing {
		return nil, page(c.features.noLeaderStatus, "Could not determine the current leader")
	}
	change, err := prepare()
	if err != nil {
		return nil, err
	}
	d, err := c.plan(change)
	if err != nil {
		return nil, err
	}
	if len(d.steps) > 0 {
		c.publishDeployment("deployment_info", d, member{"currentStep", d.steps[0].show(c.features)})
	}
	c.mu.Unlock()
	stored := c.sleep(c.options.StoreDelay)
	c.mu.Lock()
	if !stored {
		return nil, page(503, "Service is shutting down")
	}
	c.store(change, d)
	c.publish("group_change_success", member{"groupId", change.reported}, member{"version", d.version})
	if posted != nil {
		posted(d)
	}
	c.log.Info("apps changed", zap.String("deployment", d.id), zap.Int("apps", len(d.apps)))
	if len(d.steps) == 0 {
		c.publishDeployment("deployment_success", d)
	} else {
		c.deployments = append(c.deployments, d)
		c.advance(d)
	}
	c.changed()
	return d, nil
}

// plan checks the change, completes the definitions and makes the deployment.
// c.mu is held.
func (c *Cluster) plan(change *changeSet) (*deployment, error) {
	if err := c.checkIDs(change); err != nil {
		return nil, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("make a deployment id: %w", err)
	}
	d := &deployment{id: id.String(), version: c.newVersion(), before: map[*appState]*definition{}}
	if c.features.heavyPlans && c.heavyStreams() {
		d.original = c.showRoot(&changeSet{}, "")
	}
	var touched []*appState
	var conflicts []string
	for _, id := range slices.Concat(ids(change.set), change.remove) {
		a := c.apps[id]
		if a == nil {
			continue
		}
		touched = append(touched, a)
		if o := a.deployment; o != nil && !slices.Contains(conflicts, o.id) {
			conflicts = append(conflicts, o.id)
		}
	}
	if len(conflicts) > 0 && !change.force {
		return nil, locked(conflicts)
	}
	for _, a := range touched {
		if a.deployment != nil {
			c.cancelDeployment(a.deployment)
		}
	}
	if err := c.complete(change, d); err != nil {
		return nil, err
	}
	c.makeSteps(change, d)
	if d.original != nil {
		d.target = c.showRoot(change, d.version)
	}
	return d, nil
}

func ids(defs []*definition) []string {
	out := make([]string, 0, len(defs))
	for _, d := range defs {
		out = append(out, d.ID)
	}
	return out
}

// checkIDs refuses an app and a group of the same id, and dependencies that do
// not exist. c.mu is held.
func (c *Cluster) checkIDs(change *changeSet) error {
	for _, d := range change.set {
		if c.groups[d.ID] != nil && c.apps[d.ID] == nil {
			return problem(409, "An app with id [%s] conflicts with an existing group", d.ID)
		}
		for p := parentID(d.ID); p != "/"; p = parentID(p) {
			if c.apps[p] != nil {
				return problem(409, "An app with id [%s] already exists", p)
			}
		}
		last := d.ID[strings.LastIndexByte(d.ID, '/')+1:]
		if c.features.reservedIDs && slices.Contains([]string{"restart", "tasks", "versions"}, last) {
			return invalid("/id", "must not end with any of the following reserved keywords: restart, tasks, versions, ., ..")
		}
	}
	return nil
}

// complete gives the definitions their ports and versions. c.mu is held.
func (c *Cluster) complete(change *changeSet, d *deployment) error {
	taken := map[int]bool{}
	for _, def := range change.set {
		for _, p := range def.servicePorts() {
			taken[p] = true
		}
		if err := c.checkMappings(def, change); err != nil {
			return err
		}
	}
	for i, def := range change.set {
		old := c.apps[def.ID]
		if err := c.assignPorts(def, old, taken); err != nil {
			return err
		}
		if old != nil && !change.restart && len(change.kill) == 0 && def.same(old.def) {
			change.set[i] = old.def // a group that is put again leaves such apps alone
			continue
		}
		def.Version = d.version
		switch {
		case old == nil:
			def.ConfigChange, def.LastScaling = d.version, d.version
		case change.restart || !def.sameConfig(old.def):
			def.ConfigChange, def.LastScaling = d.version, old.def.LastScaling
		default:
			def.ConfigChange, def.LastScaling = old.def.ConfigChange, old.def.LastScaling
			if def.Instances != old.def.Instances {
				def.LastScaling = d.version
			}
		}
	}
	return nil
}

// checkMappings refuses, in generations that do so, a mapping that asks for the
// service port of another app's mapping. c.mu is held.
func (c *Cluster) checkMappings(def *definition, change *changeSet) error {
	if !c.features.uniqueMapping || len(change.groups) > 0 && !c.features.uniqueInGroup {
		return nil
	}
	next := map[string]*definition{}
	for _, a := range c.order {
		next[a.id] = a.def
	}
	for _, other := range change.set {
		next[other.ID] = other
	}
	for _, id := range change.remove {
		delete(next, id)
	}
	delete(next, def.ID)
	for _, m := range def.mappings() {
		for id, other := range next {
			if m.ServicePort != 0 && slices.ContainsFunc(other.mappings(), func(o portMapping) bool { return o.ServicePort == m.ServicePort }) {
				return invalid("/container/docker/portMappings", fmt.Sprintf("Requested service port %d conflicts with a service port in app %s", m.ServicePort, id))
			}
		}
	}
	return nil
}

// assignPorts replaces service port 0 by a port that the app already had, or else
// by the lowest free one, Marathon facts 4.1. c.mu is held.
func (c *Cluster) assignPorts(def *definition, old *appState, taken map[int]bool) error {
	if def.Pod != nil {
		return nil
	}
	var had []int
	if old != nil {
		for _, p := range old.def.servicePorts() {
			if p >= c.options.ServicePortMin && p < c.options.ServicePortMax && !slices.Contains(def.servicePorts(), p) {
				had = append(had, p)
			}
		}
	}
	assign := func(p *int) error {
		if *p != 0 {
			return nil
		}
		if len(had) > 0 {
			*p, had = had[0], had[1:]
			taken[*p] = true
			return nil
		}
		for n := c.options.ServicePortMin; n < c.options.ServicePortMax; n++ {
			if c.usedPorts[n] == 0 && !taken[n] {
				*p = n
				taken[n] = true
				return nil
			}
		}
		return invalid("/", "no service port is free")
	}
	for i := range def.Ports {
		if err := assign(&def.Ports[i].Port); err != nil {
			return err
		}
	}
	for i := range def.mappings() {
		if err := assign(&def.Container.Mappings[i].ServicePort); err != nil {
			return err
		}
	}
	return nil
}

// makeSteps orders the actions: what is removed first, then the apps by their
// dependencies, each only after all it depends on. c.mu is held.
func (c *Cluster) makeSteps(change *changeSet, d *deployment) {
	var stops step
	for _, id := range change.remove {
		if a := c.apps[id]; a != nil {
			stops = append(stops, action{kind: actionStop, app: a})
			d.apps = append(d.apps, a)
			d.before[a] = a.def
		}
	}
	if len(stops) > 0 {
		d.steps = append(d.steps, stops)
	}
	for _, level := range c.levels(change) {
		var starts, scales step
		for _, def := range level {
			a := c.apps[def.ID]
			switch {
			case a == nil:
				a = &appState{id: def.ID, versions: map[string]*definition{}}
				starts = append(starts, action{kind: actionStart, app: a, def: def})
				scales = append(scales, action{kind: actionScale, app: a, def: def})
			case a.restarting, def.ConfigChange != a.def.ConfigChange && a.def.Instances+def.Instances > 0:
				scales = append(scales, action{kind: actionRestart, app: a, def: def})
			case def.ConfigChange != a.def.ConfigChange, def.Instances != a.def.Instances, len(change.kill[def.ID]) > 0, a.target != def.Instances:
				scales = append(scales, action{kind: actionScale, app: a, def: def, kill: change.kill[def.ID]})
			default:
				continue
			}
			d.apps = append(d.apps, a)
			d.before[a] = a.def
		}
		if len(starts) > 0 && c.features.startStep {
			d.steps = append(d.steps, starts)
		}
		if len(scales) > 0 {
			d.steps = append(d.steps, scales)
		}
	}
}

// levels sorts the definitions so that each level depends on earlier ones only.
// Dependencies on groups mean all apps in them, and those of a group hold for all
// apps in it. c.mu is held.
func (c *Cluster) levels(change *changeSet) [][]*definition {
	groups := map[string]*group{}
	for _, g := range change.groups {
		groups[g.id] = g
	}
	byID := map[string]*definition{}
	for _, def := range change.set {
		byID[def.ID] = def
	}
	depth := map[string]int{}
	var visit func(def *definition) int
	visit = func(def *definition) int {
		if n, ok := depth[def.ID]; ok {
			return n
		}
		depth[def.ID] = 0 // ends a circle
		deepest := 0
		needs := slices.Clone(def.Dependencies)
		for id := parentID(def.ID); ; id = parentID(id) {
			if g := cmp.Or(groups[id], c.groups[id]); g != nil {
				needs = append(needs, g.dependencies...)
			}
			if id == "/" {
				break
			}
		}
		for _, need := range needs {
			for _, other := range change.set {
				if other != def && (other.ID == need || strings.HasPrefix(other.ID, need+"/")) && byID[other.ID] == other {
					deepest = max(deepest, visit(other)+1)
				}
			}
		}
		depth[def.ID] = deepest
		return deepest
	}
	var levels [][]*definition
	for _, def := range change.set {
		n := visit(def)
		for len(levels) <= n {
			levels = append(levels, nil)
		}
		levels[n] = append(levels[n], def)
	}
	return levels
}

// store makes the change visible. c.mu is held.
func (c *Cluster) store(change *changeSet, d *deployment) {
	for _, id := range change.remove {
		a := c.apps[id]
		if a == nil {
			continue
		}
		for range a.def.announced() {
			c.publish("remove_health_check_event", member{"appId", id})
		}
		c.countPorts(a.def, -1)
		delete(c.apps, id)
		c.order = slices.DeleteFunc(c.order, func(o *appState) bool { return o == a })
	}
	for _, id := range change.removeGroups {
		delete(c.groups, id)
	}
	for _, g := range change.groups {
		g.version = d.version
		c.groups[g.id] = g
	}
	fresh := map[string]*appState{}
	for _, a := range d.apps {
		a.deployment = d
		fresh[a.id] = a
	}
	for _, def := range change.set {
		a := c.apps[def.ID]
		if a == nil {
			a = fresh[def.ID]
			c.apps[def.ID] = a
			c.order = append(c.order, a)
		} else {
			c.countPorts(a.def, -1)
		}
		before := a.def
		a.def = def
		a.versions[def.Version] = def
		c.countPorts(def, 1)
		if before == nil || before.ConfigChange != def.ConfigChange {
			c.announceChecks(def)
		}
		c.touchGroups(def.ID, d.version)
	}
	for _, id := range change.remove {
		c.touchGroups(id, d.version)
	}
}

// touchGroups creates the groups above an id and gives them the version. c.mu is
// held.
func (c *Cluster) touchGroups(id, version string) {
	for p := parentID(id); ; p = parentID(p) {
		g := c.groups[p]
		if g == nil {
			g = &group{id: p}
			c.groups[p] = g
		}
		g.version = version
		if p == "/" {
			return
		}
	}
}

func (c *Cluster) countPorts(def *definition, by int) {
	for _, p := range def.servicePorts() {
		if c.usedPorts[p] += by; c.usedPorts[p] == 0 {
			delete(c.usedPorts, p)
		}
	}
}

// announceChecks publishes the health checks of an app. c.mu is held.
func (c *Cluster) announceChecks(def *definition) {
	for _, h := range def.announced() {
		c.publish("add_health_check_event", member{"appId", def.ID}, member{"version", def.Version},
			member{"healthCheck", h.show(c.features)})
	}
}
