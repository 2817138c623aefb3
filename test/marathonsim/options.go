package marathonsim

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"

	"mlb/test/marathonsim/launcher"
)

// Options says what is simulated. The zero value is one master of generation 1.9
// on a free port of 127.0.0.1, with three agents whose tasks are servers in this
// process.
type Options struct {
	// Generation decides shapes and behaviour; empty means [V1_9].
	Generation Generation

	// Masters is how many masters there are; 0 means one. It is ignored when
	// Listen is set.
	Masters int
	// Listen are the addresses of the masters, host:port, one for each. Port 0
	// takes a free port, which the master keeps while it is stopped. Default:
	// 127.0.0.1:0.
	Listen []string
	// Username and Password ask for HTTP basic authentication on every path when
	// Username is not empty.
	Username, Password string
	// Tokens asks for a token of [Cluster.IssueToken] on every path but /ping.
	Tokens bool

	// Agents are the machines that run tasks. Default: three agents named by
	// their addresses, 127.0.0.1 to 127.0.0.3.
	Agents []Agent
	// Launcher starts tasks; nil means [launcher.InProcess].
	Launcher launcher.Launcher
	// Unserved makes tasks that exist in Marathon's answers only: nothing listens,
	// and health checks always pass. It is meant for clusters of many thousands of
	// tasks.
	Unserved bool
	// EphemeralPorts takes host ports from the system's range instead of 31000 to
	// 32000, as tests want that run beside each other.
	EphemeralPorts bool
	// ContainerNetwork is the /16 network of loopback addresses from which tasks
	// with an address of their own get it; default 127.200.0.0/16.
	ContainerNetwork string
	// ServicePortMin and ServicePortMax bound the service ports that Marathon
	// assigns: min ≤ port < max. Defaults: 10000 and 20000.
	ServicePortMin, ServicePortMax int

	// Speed divides the times that documents ask for: intervals and grace periods
	// of health checks, backoff, unreachable times. 0 means 1, real time. Timeouts
	// of health checks and the grace period of a kill are not scaled.
	Speed float64
	// HealthInterval replaces the interval of every health check when it is not 0.
	HealthInterval time.Duration
	// LaunchDelay is how long a task stays in each of the states staging and
	// starting; default 5ms, negative for none.
	LaunchDelay time.Duration
	// KillDelay is how long the order to end a task is on its way from the master to
	// the task, which serves meanwhile and counts as running; default none.
	KillDelay time.Duration
	// StoreDelay is how long a change is announced by deployment_info before the
	// API shows it; default 2ms, negative for none.
	StoreDelay time.Duration
	// ElectionDelay is how long there is no leader after one was lost; default
	// 100ms, negative for none.
	ElectionDelay time.Duration
	// StreamDelay is how long a new leader answers /v2/events with 200 and an end
	// of stream; default none.
	StreamDelay time.Duration
	// RestartDelay is how long a master is away that gave up leadership: its
	// process exits and is started again. Default 200ms.
	RestartDelay time.Duration
	// LeaderWait is how long a standby looks for a leader before it gives up;
	// default 2.5s.
	LeaderWait time.Duration
	// ProxyTimeout is how long a standby waits for bytes of the leader; default
	// 10s.
	ProxyTimeout time.Duration
	// HeartbeatInterval is the time between heartbeats of a stream; default 10s.
	HeartbeatInterval time.Duration
	// MaxOutstanding is how many events wait for a slow stream; default 1024.
	MaxOutstanding int

	// Observer is called for each event just before it goes to the streams, with its
	// type and its document. It must neither wait nor call the cluster, whose lock is
	// held. Without a stream there are no events. Nil means none.
	Observer func(kind string, document []byte)
	// Logger gets one line for each change; nil means none.
	Logger *zap.Logger
}

// Agent is a machine that runs tasks.
type Agent struct {
	// Name is what Marathon reports as the host; empty means Address.
	Name string
	// Address is the loopback address that its tasks bind.
	Address string
}

// withDefaults returns the options with every default filled in.
func (o Options) withDefaults() (Options, error) {
	o.Generation = cmp.Or(o.Generation, V1_9)
	if _, err := o.Generation.features(); err != nil {
		return o, err
	}
	if len(o.Listen) == 0 {
		for range max(o.Masters, 1) {
			o.Listen = append(o.Listen, "127.0.0.1:0")
		}
	}
	if len(o.Agents) == 0 {
		o.Agents = []Agent{{Address: "127.0.0.1"}, {Address: "127.0.0.2"}, {Address: "127.0.0.3"}}
	}
	agents := make([]Agent, len(o.Agents))
	for i, a := range o.Agents {
		if net.ParseIP(a.Address) == nil {
			return o, fmt.Errorf("agent %d: %q is not an IP address", i, a.Address)
		}
		a.Name = cmp.Or(a.Name, a.Address)
		agents[i] = a
	}
	o.Agents = agents
	o.ContainerNetwork = cmp.Or(o.ContainerNetwork, "127.200.0.0/16")
	if _, network, err := net.ParseCIDR(o.ContainerNetwork); err != nil || network.IP.To4() == nil {
		return o, fmt.Errorf("container network %q is not an IPv4 network", o.ContainerNetwork)
	}
	if o.Launcher == nil {
		o.Launcher = launcher.InProcess{}
	}
	o.ServicePortMin = cmp.Or(o.ServicePortMin, 10000)
	o.ServicePortMax = cmp.Or(o.ServicePortMax, 20000)
	o.Speed = cmp.Or(o.Speed, 1)
	if o.Speed < 0 || o.ServicePortMin < 0 || o.MaxOutstanding < 0 {
		return o, errors.New("speed, ports and sizes must not be negative")
	}
	o.LaunchDelay = cmp.Or(o.LaunchDelay, 5*time.Millisecond)
	o.StoreDelay = cmp.Or(o.StoreDelay, 2*time.Millisecond)
	o.ElectionDelay = cmp.Or(o.ElectionDelay, 100*time.Millisecond)
	o.RestartDelay = cmp.Or(o.RestartDelay, 200*time.Millisecond)
	o.LeaderWait = cmp.Or(o.LeaderWait, 2500*time.Millisecond)
	o.ProxyTimeout = cmp.Or(o.ProxyTimeout, 10*time.Second)
	o.HeartbeatInterval = cmp.Or(o.HeartbeatInterval, 10*time.Second)
	o.MaxOutstanding = cmp.Or(o.MaxOutstanding, 1024)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o, nil
}

// scaled returns a time of a document, in seconds, at the speed of the cluster.
func (o Options) scaled(seconds float64) time.Duration {
	return time.Duration(seconds / o.Speed * float64(time.Second))
}
