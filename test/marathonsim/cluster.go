package marathonsim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"mlb/test/marathonsim/launcher"
)

// Cluster is a simulated Marathon with its masters, agents and tasks. All
// methods are safe for concurrent use.
type Cluster struct {
	options  Options
	features features
	log      *zap.Logger
	launcher launcher.Launcher
	masters  []*master
	agents   []*agentState

	ctx    context.Context //nolint:containedctx // the life of the cluster, which Start begins and Close ends
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine but those of net/http

	// updates lets one change of the apps happen at a time: a change is announced,
	// and stored a little later.
	updates sync.Mutex

	// mu guards everything below. What it guards stands for Marathon's replicated
	// store and event bus, which every request and every task reads and changes;
	// it is never held over anything that waits.
	mu          sync.Mutex
	change      chan struct{} // closed and replaced at each change
	leader      int           // index of the leading master, -1: none
	publishing  bool          // the leader's event bus is there
	term        int           // counts elections
	termChange  chan struct{} // closed and replaced at each election
	electing    bool          // an election is under way
	streams     map[*stream]struct{}
	apps        map[string]*appState
	order       []*appState // as posted
	groups      map[string]*group
	deployments []*deployment
	taskIndex   map[string]*task
	usedPorts   map[int]int // service port → how many apps use it
	lastVersion time.Time
	nextIP      int
	tokens      map[string]*token
}

// New checks the options and returns a cluster that is not running yet.
func New(o Options) (*Cluster, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	f, err := o.Generation.features()
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		options: o, features: f, log: o.Logger, launcher: o.Launcher,
		change: make(chan struct{}), termChange: make(chan struct{}), leader: -1,
		streams: map[*stream]struct{}{}, apps: map[string]*appState{}, groups: map[string]*group{},
		taskIndex: map[string]*task{}, usedPorts: map[int]int{}, tokens: map[string]*token{},
	}
	c.groups["/"] = &group{id: "/", version: c.newVersion()}
	for i, a := range o.Agents {
		c.agents = append(c.agents, newAgent(i, a, o))
	}
	for i, address := range o.Listen {
		c.masters = append(c.masters, newMaster(c, i, address))
	}
	return c, nil
}

// Start opens the masters' listeners and elects the first one. It returns when
// the cluster answers. The context bounds the start, not the life; end that with
// Close. Start may be called once.
func (c *Cluster) Start(ctx context.Context) error {
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, m := range c.masters {
		if err := m.start(ctx); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elect(0)
	return nil
}

// Close ends the masters and every task, by force, and returns when nothing of
// the cluster is left: no goroutine, process, socket or file.
func (c *Cluster) Close() error {
	if c.cancel == nil {
		return nil
	}
	c.mu.Lock()
	c.cancel() // under the lock, so that no goroutine is started any more
	c.leader = -1
	c.closeStreams()
	c.mu.Unlock()
	var errs []error
	for _, m := range c.masters {
		errs = append(errs, m.close())
	}
	c.wg.Wait()
	return errors.Join(errs...)
}

// Run starts the cluster, waits for the end of the context and closes it.
func (c *Cluster) Run(ctx context.Context) error {
	if err := c.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return c.Close()
}

// Masters returns the URLs of the masters, "http://host:port", in order.
func (c *Cluster) Masters() []string {
	urls := make([]string, 0, len(c.masters))
	for _, m := range c.masters {
		urls = append(urls, m.url())
	}
	return urls
}

// goroutine starts f as a goroutine that Close waits for. c.mu is held. It does
// nothing when the cluster is closing.
func (c *Cluster) goroutine(f func()) {
	if c.ctx.Err() == nil {
		c.wg.Go(f)
	}
}

// after runs f with c.mu held when d has passed, unless the cluster is closed.
// c.mu is held.
func (c *Cluster) after(d time.Duration, f func()) {
	c.goroutine(func() {
		if !c.sleep(d) {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		f()
	})
}

// sleep waits and reports false when the cluster was closed.
func (c *Cluster) sleep(d time.Duration) bool {
	if d <= 0 {
		return c.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// changed wakes everybody who waits for a condition. c.mu is held.
func (c *Cluster) changed() {
	close(c.change)
	c.change = make(chan struct{})
}

// Wait returns when the condition holds; it is looked at whenever something in
// the cluster has changed. The condition may call every method that only reads.
func (c *Cluster) Wait(ctx context.Context, condition func() bool) error {
	for {
		c.mu.Lock()
		change := c.change
		c.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("wait for the simulated cluster: %w", ctx.Err())
		case <-c.ctx.Done():
			return errors.New("wait for the simulated cluster: it was closed")
		}
	}
}

// newVersion returns a version that no app or group has yet. c.mu is held.
func (c *Cluster) newVersion() string {
	now := time.Now().UTC().Truncate(time.Millisecond)
	if !now.After(c.lastVersion) {
		now = c.lastVersion.Add(time.Millisecond)
	}
	c.lastVersion = now
	return formatTime(now)
}

// newTaskIP returns the next loopback address for a task with an address of its
// own. c.mu is held.
func (c *Cluster) newTaskIP() string {
	_, network, err := net.ParseCIDR(c.options.ContainerNetwork)
	if err != nil {
		panic(err) // checked by withDefaults
	}
	c.nextIP++
	ip := network.IP.To4()
	host := c.nextIP % 65000
	return net.IPv4(ip[0], ip[1], byte(host/250), byte(host%250+2)).String()
}
