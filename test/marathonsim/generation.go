package marathonsim

import (
	"fmt"
	"slices"
)

// Generation names a range of Marathon versions that answer alike.
type Generation string

// The generations that are simulated, each by its last releases.
const (
	// V0_11 is Marathon 0.11 to 0.13: tasks without state and addresses, few
	// events.
	V0_11 Generation = "0.11"
	// V0_15 is Marathon 0.15.4 and later 0.15 releases: tasks with state and
	// addresses, apps with an address for each task.
	V0_15 Generation = "0.15"
	// V1_1 is Marathon 1.1.2 and later 1.1 releases: port definitions, readiness
	// checks, resident tasks, tasks that are being killed.
	V1_1 Generation = "1.1"
	// V1_3 is Marathon 1.3.7 and later 1.3 releases: docker's user networks, event
	// filters, service ports that several apps may have.
	V1_3 Generation = "1.3"
	// V1_4 is Marathon 1.4.9 and later 1.4 releases: instances and their events,
	// and still hand-written JSON in which absent values are null.
	V1_4 Generation = "1.4"
	// V1_5 is Marathon 1.5.9 and later 1.5 releases: apps in generated JSON without
	// nulls, "networks", light plans on request.
	V1_5 Generation = "1.5"
	// V1_7 is the last releases of Marathon 1.6 and 1.7: tasks in generated JSON,
	// standbys that redirect the event stream, light plans.
	V1_7 Generation = "1.7"
	// V1_8 is Marathon 1.8: task ids that name an instance, instances that are
	// scheduled before they are placed, slow streams that are closed.
	V1_8 Generation = "1.8"
	// V1_9 is Marathon 1.9 and 1.10: roles.
	V1_9 Generation = "1.9"
	// V1_11 is Marathon 1.11: no tasks as text.
	V1_11 Generation = "1.11"
)

// Generations returns all generations, the oldest first.
func Generations() []Generation {
	return []Generation{V0_11, V0_15, V1_1, V1_3, V1_4, V1_5, V1_7, V1_8, V1_9, V1_11}
}

// features is what differs between generations. The comment beside each says in
// which of Marathon's versions it appeared.
type features struct {
	version string // of /v2/info

	// Documents, Marathon facts 4.
	legacyJSON     bool // apps in the shape of documents up to 1.4
	legacyTasks    bool // tasks in the shape of documents up to 1.5
	taskState      bool // tasks have a state (0.15.4)
	addresses      bool // apps have ipAddress, tasks and their events ipAddresses (0.14)
	emptyAddresses bool // ipAddresses is an empty list until the task runs, otherwise absent (0.15 only)
	namedPorts     bool // portDefinitions, names and labels of ports, fetch, readinessChecks, residency (1.1)
	failureCause   bool // health results have lastFailureCause (1.1)
	gpus           bool // gpus, secrets and taskKillGracePeriodSeconds (1.3)
	userNetwork    bool // docker's network USER (1.3)
	fullChecks     bool // health checks of all protocols show path and ignoreHttp1xx (up to 1.0)
	instances      bool // instances with ids and events, killSelection, unreachableStrategy, pods (1.4)
	ipProtocol     bool // health checks have ipProtocol (1.6)
	instanceTasks  bool // task ids name an instance and an attempt (1.8)
	listTerminal   bool // failed tasks stay listed until replaced (1.8)
	roles          bool // role and enforceRole (1.9)
	textTasks      bool // /v2/tasks can be text (up to 1.10)
	textByDefault  bool // and is unless JSON is asked for (up to early 1.7)
	plainSteps     bool // steps of /v2/deployments are lists of actions (up to 1.0)
	maxLaunchDelay int  // default in seconds

	// Events, Marathon facts 3.
	fewUpdates      bool // status_update_event for the first TASK_RUNNING and ends only (up to 1.0)
	launchUpdate    bool // status_update_event for the launch (1.3 only)
	killEvent       bool // an event when a task is killed for its health (1.1)
	unknownTask     bool // unknown_task_terminated_event (1.3 only)
	perCheckHealth  bool // instance_health_changed_event for each check (up to 1.5.7)
	failedTaskID    bool // failed_health_check_event has the instance id under taskId (1.5)
	scheduledEvents bool // instances are Scheduled, then Provisioned (1.8), instead of Created
	actionType      bool // actions of a plan have a type (up to 1.1.1), not an action
	failureReason   bool // deployment_failed has a reason (1.6.352)
	heavyPlans      bool // deployment events carry both root groups (up to 1.6)
	lightPlans      bool // unless light plans are asked for (1.5.9)
	eventFilter     bool // event_type is obeyed (1.3.7)
	closeSlow       bool // a stream that falls behind is closed (1.8), not robbed of events

	// Tasks and deployments, Marathon facts 3 to 5.
	killingState  bool // TASK_KILLING (1.1)
	lostState     bool // TASK_LOST where later versions say TASK_UNREACHABLE (up to 1.3)
	keepLost      bool // lost tasks stay listed (0.15)
	readiness     bool // readiness checks run (1.1)
	keepResults   bool // results of agents outlive a leader (1.3)
	uniqueMapping bool // the service port of a mapping belongs to one app (up to 1.1)
	uniqueInGroup bool // also when a group is posted (0.15 at the latest)
	startStep     bool // a deployment starts an app in one step and scales it in the next (up to 1.7)
	reservedIDs   bool // ids must not end with the names of sub-resources (1.8)

	// Masters, Marathon facts 1 and 2.
	eventAuth         bool // /v2/events asks for a token (1.2)
	leaderStays       bool // a master that gives up stays as a standby (up to 1.3.5)
	redirectEvents    bool // standbys answer /v2/events with 302 (1.7.50)
	noLeaderStatus    int  // without a leader
	leaderDownStatus  int  // the leader refuses the connection
	leaderSlowStatus  int  // the leader does not answer in time
	unknownGroupAs404 bool // /v2/apps/{group}/* of an absent group, otherwise an empty list
	unknownRouteAs500 bool // unknown paths are 500 with a JSON body (1.6)
	secureHeaders     bool // X-Frame-Options and X-XSS-Protection (1.7)
}

// features returns what is particular to the generation; empty means V1_9.
func (g Generation) features() (features, error) {
	if g == "" {
		g = V1_9
	}
	all := Generations()
	rank := slices.Index(all, g)
	if rank < 0 {
		return features{}, fmt.Errorf("generation %q is not simulated; there are %q", string(g), all)
	}
	since := func(first Generation) bool { return rank >= slices.Index(all, first) }
	until := func(last Generation) bool { return rank <= slices.Index(all, last) }
	either := func(is bool, then, otherwise int) int {
		if is {
			return then
		}
		return otherwise
	}
	return features{
		version: []string{"0.11.1", "0.15.6", "1.1.7", "1.3.14", "1.4.13", "1.5.15", "1.7.216", "1.8.244", "1.9.109", "1.11.24"}[rank],

		legacyJSON: until(V1_4), legacyTasks: until(V1_5),
		taskState: since(V0_15), addresses: since(V0_15), emptyAddresses: g == V0_15,
		namedPorts: since(V1_1), failureCause: since(V1_1),
		gpus: since(V1_3), userNetwork: since(V1_3), fullChecks: until(V0_15),
		instances: since(V1_4), ipProtocol: since(V1_7),
		instanceTasks: since(V1_8), listTerminal: since(V1_8), roles: since(V1_9),
		textTasks: until(V1_9), textByDefault: until(V1_5), plainSteps: until(V0_15),
		maxLaunchDelay: either(since(V1_8), 300, 3600),

		fewUpdates: until(V0_15), launchUpdate: g == V1_3, killEvent: since(V1_1), unknownTask: g == V1_3,
		perCheckHealth: until(V1_4), failedTaskID: since(V1_5), scheduledEvents: since(V1_8),
		actionType: until(V0_15), failureReason: since(V1_7),
		heavyPlans: until(V1_5), lightPlans: since(V1_5), eventFilter: since(V1_3), closeSlow: since(V1_8),

		killingState: since(V1_1), lostState: until(V1_3), keepLost: since(V0_15), readiness: since(V1_1), keepResults: since(V1_3),
		uniqueMapping: until(V1_1), uniqueInGroup: since(V0_15), startStep: until(V1_7), reservedIDs: since(V1_8),

		eventAuth: since(V1_3), leaderStays: until(V1_1), redirectEvents: since(V1_7),
		noLeaderStatus:    either(since(V1_7), 502, 503),
		leaderDownStatus:  either(g == V1_3 || g == V1_4, 503, 502),
		leaderSlowStatus:  either(until(V1_1), 500, either(until(V1_5), 504, 502)),
		unknownGroupAs404: since(V1_4), unknownRouteAs500: since(V1_7), secureHeaders: since(V1_7),
	}, nil
}
