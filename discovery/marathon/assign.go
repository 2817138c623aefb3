package marathon

import (
	"crypto/sha1" //nolint:gosec // the ports must agree with those of a running marathon-lb (contract 2.6).
	"encoding/binary"
	"strconv"

	"mlb/discovery"
)

// assigner gives service ports to the task ports of apps that have none. Equal
// calls in equal order give equal ports, in every balancer of a cluster; where
// hashes clash the order decides (contract 2.6, K3). One assigner serves one
// pass.
type assigner struct {
	// cluster is a part of what is hashed: equal apps of several clusters should not ask
	// for the same port.
	cluster   string
	low, high int
	byKey     map[assignKey]int
	taken     map[int]bool
	// fixed says that no port is given any more, missed that one was asked for then.
	fixed, missed bool
}

type assignKey struct {
	app  string
	port int
}

// assignTries is the number of hashes tried before the range is searched.
const assignTries = 50

// newAssigner returns an assigner for the apps of a cluster, which may have no name, and
// the ports from low to high inclusive. Both 0 switch it off.
func newAssigner(cluster string, low, high int) *assigner {
	return &assigner{cluster: cluster, low: low, high: high, byKey: make(map[assignKey]int), taken: make(map[int]bool)}
}

// port returns the service port of an app's task port, the same one when asked
// again, and false if there is none to give.
func (a *assigner) port(app string, taskPort int) (int, bool) {
	size := a.high - a.low + 1
	if a.low <= 0 || size <= 0 {
		return 0, false
	}
	key := assignKey{app, taskPort}
	if p, ok := a.byKey[key]; ok {
		return p, true
	}
	if a.fixed {
		a.missed = true
		return 0, false
	}
	if len(a.byKey) >= size {
		return 0, false
	}
	p := a.free(discovery.Qualify(a.cluster, app)+"-"+strconv.Itoa(taskPort)+"-", size)
	a.byKey[key] = p
	a.taken[p] = true
	return p, true
}

// free returns the first candidate that nobody has. The caller knows that there
// is one.
func (a *assigner) free(text string, size int) int {
	for i := range assignTries {
		sum := sha1.Sum([]byte(text + strconv.Itoa(i))) //nolint:gosec // see the import.
		p := a.low + int(int64(binary.BigEndian.Uint32(sum[:4]))%int64(size))
		if !a.taken[p] {
			return p
		}
	}
	p := a.low
	for a.taken[p] {
		p++
	}
	return p
}
