package marathonsim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Mesos' default range of host ports.
const (
	hostPortMin = 31000
	hostPortMax = 32000
)

// mesosID is the beginning of the ids of the simulated agents and framework.
const (
	mesosID     = "9f7c6d1e-5b7a-4b0e-a1b8-2f3d4c5e6f70"
	frameworkID = mesosID + "-0000"
)

// agentState is a machine that runs tasks.
type agentState struct {
	Agent
	id        string
	ephemeral bool
	unserved  bool

	tasks     int            // guarded by Cluster.mu
	perApp    map[string]int // app id → tasks; guarded by Cluster.mu
	bridgeIP  int            // guarded by Cluster.mu
	lost      bool           // guarded by Cluster.mu
	forgotten []*task        // expunged and still running; guarded by Cluster.mu

	// mu guards the ports: tasks reserve them without the cluster's lock, because
	// a port is only free when it could be bound.
	mu   sync.Mutex
	used map[int]bool
	next int
}

func newAgent(i int, a Agent, o Options) *agentState {
	return &agentState{
		Agent: a, id: fmt.Sprintf("%s-S%d", mesosID, i+1), ephemeral: o.EphemeralPorts, unserved: o.Unserved,
		perApp: map[string]int{}, used: map[int]bool{},
		next: rand.IntN(hostPortMax - hostPortMin), // clusters beside each other seldom meet
	}
}

// reserve binds the wanted host ports, 0 meaning any, and returns what it got.
// The listeners are nil for tasks that nobody serves.
func (a *agentState) reserve(ctx context.Context, wanted []int) (ports []int, ls []net.Listener, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ports = []int{}
	for _, w := range wanted {
		port, l, err := a.bind(ctx, w)
		if err != nil {
			for _, l := range ls {
				_ = l.Close()
			}
			for _, p := range ports {
				delete(a.used, p)
			}
			return nil, nil, err
		}
		a.used[port] = true
		ports = append(ports, port)
		if l != nil {
			ls = append(ls, l)
		}
	}
	return ports, ls, nil
}

// bind binds one port. a.mu is held.
func (a *agentState) bind(ctx context.Context, wanted int) (int, net.Listener, error) {
	if wanted != 0 {
		if a.used[wanted] {
			return 0, nil, fmt.Errorf("port %d of agent %s is taken", wanted, a.Name)
		}
		return a.try(ctx, wanted)
	}
	if a.ephemeral && !a.unserved {
		return a.try(ctx, 0)
	}
	for range hostPortMax - hostPortMin {
		port := hostPortMin + a.next
		a.next = (a.next + 1) % (hostPortMax - hostPortMin)
		if a.used[port] && !a.unserved {
			continue
		}
		if got, l, err := a.try(ctx, port); err == nil {
			return got, l, nil
		}
	}
	return 0, nil, fmt.Errorf("agent %s has no free port", a.Name)
}

func (a *agentState) try(ctx context.Context, port int) (int, net.Listener, error) {
	if a.unserved {
		return port, nil, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(a.Address, strconv.Itoa(port)))
	if err != nil {
		return 0, nil, fmt.Errorf("bind a port of agent %s: %w", a.Name, err)
	}
	return l.Addr().(*net.TCPAddr).Port, l, nil
}

// release gives ports back.
func (a *agentState) release(ports []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range ports {
		delete(a.used, p)
	}
}
