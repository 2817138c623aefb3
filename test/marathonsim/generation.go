package marathonsim

import "fmt"

// Generation names a range of Marathon versions that answer alike.
type Generation string

// The generations that are simulated.
const (
	// V1_4 is Marathon 1.4.9 and later 1.4 releases: hand-written JSON in which
	// absent values are null, service ports in "ports", task ids without an
	// instance, standbys that proxy the event stream.
	V1_4 Generation = "1.4"
	// V1_9 is Marathon 1.8 and 1.9: generated JSON without nulls, "networks",
	// task ids that name an instance, standbys that redirect the event stream.
	V1_9 Generation = "1.9"
)

// features is what differs between generations. Another generation is another
// value of this type, and a writer if its documents have another shape.
type features struct {
	version           string // of /v2/info
	legacyJSON        bool   // the shape of documents up to 1.4: Marathon facts 4.1
	instanceTasks     bool   // task ids name an instance and an attempt (1.8)
	scheduledEvents   bool   // instances are Scheduled, then Provisioned (1.8), instead of Created
	startStep         bool   // a deployment starts an app in one step and scales it in the next (up to 1.7)
	redirectEvents    bool   // standbys answer /v2/events with 302 (1.7.50)
	closeSlow         bool   // a stream that falls behind is closed (1.8), not robbed of events
	heavyPlans        bool   // deployment events carry both root groups (up to 1.6, unless light is asked for)
	failedTaskID      bool   // failed_health_check_event has the instance id under taskId (1.5)
	listTerminal      bool   // failed tasks stay listed until replaced (1.8)
	roles             bool   // role and enforceRole (1.9)
	noLeaderStatus    int    // without a leader
	leaderDownStatus  int    // the leader refuses the connection
	leaderSlowStatus  int    // the leader does not answer in time
	unknownRouteAs500 bool   // unknown paths are 500 with a JSON body (1.6)
	secureHeaders     bool   // X-Frame-Options and X-XSS-Protection (1.7)
	maxLaunchDelay    int    // default in seconds
}

// features returns what is particular to the generation.
func (g Generation) features() (features, error) {
	switch g {
	case V1_4:
		return features{
			version: "1.4.13", legacyJSON: true, startStep: true, heavyPlans: true,
			noLeaderStatus: 503, leaderDownStatus: 503, leaderSlowStatus: 504, maxLaunchDelay: 3600,
		}, nil
	case V1_9, "":
		return features{
			version: "1.9.109", instanceTasks: true, scheduledEvents: true, redirectEvents: true,
			closeSlow: true, failedTaskID: true, listTerminal: true, roles: true,
			noLeaderStatus: 502, leaderDownStatus: 502, leaderSlowStatus: 502,
			unknownRouteAs500: true, secureHeaders: true, maxLaunchDelay: 300,
		}, nil
	}
	return features{}, fmt.Errorf("generation %q is not simulated; there are %s and %s", string(g), V1_4, V1_9)
}
