package marathon

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// Lookup finds the addresses of a host name; *net.Resolver is one. It must return
// when ctx ends and be safe for concurrent use.
type Lookup interface {
	// LookupNetIP returns the addresses of host in the network "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// ResolverOptions tune a Resolver. The zero value of a duration means its
// default.
type ResolverOptions struct {
	// Capacity is how many names are kept that the last pass did not ask for and
	// those that it did together; names of the last pass are always kept.
	Capacity int
	// Wait is how long one call of Resolve may block, 2 s by default.
	Wait time.Duration
	// Refresh is how often an address is looked up again, 60 s by default.
	Refresh time.Duration
	// Retry is how often a name that did not resolve is tried again, 5 s by
	// default.
	Retry time.Duration
}

// Resolver turns host names into addresses and remembers them. Only names never
// tried before are looked up while the caller waits; all others are kept fresh in
// the background by Run. While look-ups of a name fail, its last good address
// stays (D19). Without Run, addresses stay as first found and a name that did not
// resolve is not tried again. A Resolver is safe for concurrent use.
type Resolver struct {
	lookup   Lookup
	opts     ResolverOptions
	onChange func()
	log      *zap.Logger

	// mu guards what follows: a pass reads addresses at the moment it needs them,
	// while Run stores what it found; a channel to an owner would make the pass
	// wait for look-ups.
	mu    sync.Mutex
	pass  uint64
	names map[string]*resolved
}

// resolved is what is known about one name.
type resolved struct {
	// addr is the last good address; the zero value means that there was none.
	addr netip.Addr
	// failing is true if the latest look-up failed.
	failing bool
	// pass is the last call of Resolve that asked for the name.
	pass uint64
	// due is when it is looked up again.
	due time.Time
}

// lookupsAtOnce bounds the load on the name server.
const lookupsAtOnce = 32

// lookupTimeout bounds one look-up.
const lookupTimeout = 10 * time.Second

// NewResolver returns a Resolver. Run calls onChange, which must not block, when
// the address of a name has changed or a name has got its first one, so that a
// new pass can be made; nil means that nobody wants to know.
func NewResolver(lookup Lookup, opts ResolverOptions, onChange func(), log *zap.Logger) *Resolver {
	opts.Wait = cmp.Or(opts.Wait, 2*time.Second)
	opts.Refresh = cmp.Or(opts.Refresh, time.Minute)
	opts.Retry = cmp.Or(opts.Retry, 5*time.Second)
	if onChange == nil {
		onChange = func() {}
	}
	return &Resolver{lookup: lookup, opts: opts, onChange: onChange, log: log, names: make(map[string]*resolved)}
}

// Resolve returns the addresses of the given names, as far as they are known. It
// blocks at most for the configured wait, and not at all if no name is new.
func (r *Resolver) Resolve(ctx context.Context, hosts []string) map[string]netip.Addr {
	return r.resolve(ctx, hosts, true)
}

// ResolveMore is Resolve for hosts beside those of the last pass.
func (r *Resolver) ResolveMore(ctx context.Context, hosts []string) map[string]netip.Addr {
	return r.resolve(ctx, hosts, false)
}

func (r *Resolver) resolve(ctx context.Context, hosts []string, pass bool) map[string]netip.Addr {
	if unknown := r.mark(hosts, pass); len(unknown) > 0 {
		bounded, cancel := context.WithTimeout(ctx, r.opts.Wait)
		r.refresh(bounded, unknown)
		cancel()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	addresses := make(map[string]netip.Addr, len(hosts))
	for _, host := range hosts {
		if n, ok := r.names[host]; ok && n.addr.IsValid() {
			addresses[host] = n.addr
		}
	}
	return addresses
}

// mark notes that the names are in use, forgets others if a pass begins, and returns
// the new ones.
func (r *Resolver) mark(hosts []string, pass bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pass {
		r.pass++
	}
	var unknown []string
	for _, host := range hosts {
		n, ok := r.names[host]
		if !ok {
			n = &resolved{due: time.Now()}
			r.names[host] = n
			unknown = append(unknown, host)
		}
		n.pass = r.pass
	}
	r.trim()
	return unknown
}

// trim forgets names of earlier passes, least recently used first, until capacity
// is kept or none is left. The caller holds mu.
func (r *Resolver) trim() {
	surplus := len(r.names) - r.opts.Capacity
	if surplus <= 0 {
		return
	}
	var unused []string
	for host, n := range r.names {
		if n.pass != r.pass {
			unused = append(unused, host)
		}
	}
	slices.SortFunc(unused, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.names[a].pass, r.names[b].pass), cmp.Compare(a, b))
	})
	for _, host := range unused[:min(surplus, len(unused))] {
		delete(r.names, host)
	}
}

// Run looks names up again when they are due, until ctx ends; it then returns
// after the look-ups in hand, with nil.
func (r *Resolver) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.opts.Retry)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		due := r.due(time.Now())
		if len(due) == 0 {
			continue
		}
		if r.refresh(ctx, due) {
			r.onChange()
		}
	}
}

func (r *Resolver) due(now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []string
	for host, n := range r.names {
		if !n.due.After(now) {
			due = append(due, host)
		}
	}
	slices.Sort(due)
	return due
}

// refresh looks the names up side by side and reports whether any address is
// another than before.
func (r *Resolver) refresh(ctx context.Context, hosts []string) bool {
	changed := make([]bool, len(hosts))
	var group errgroup.Group
	group.SetLimit(lookupsAtOnce)
	for i, host := range hosts {
		group.Go(func() error {
			found, err := r.find(ctx, host)
			changed[i] = r.store(host, found, err)
			return nil
		})
	}
	_ = group.Wait() // no member returns an error: the outcome of each is stored.
	return slices.Contains(changed, true)
}

// errNoAddress is a name that exists and has no address.
var errNoAddress = errors.New("no address")

// find returns the IPv4 addresses of a name or, if there are none, its IPv6
// addresses.
func (r *Resolver) find(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := r.lookup.LookupNetIP(ctx, "ip4", host)
	if usable := usableAddresses(found); err == nil && len(usable) > 0 {
		return usable, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	found, err6 := r.lookup.LookupNetIP(ctx, "ip6", host)
	if usable := usableAddresses(found); err6 == nil && len(usable) > 0 {
		return usable, nil
	}
	return nil, cmp.Or(err, err6, errNoAddress)
}

func usableAddresses(found []netip.Addr) []netip.Addr {
	var usable []netip.Addr
	for _, a := range found {
		if a.IsValid() && a.Zone() == "" && !a.IsUnspecified() {
			usable = append(usable, a.Unmap())
		}
	}
	return usable
}

// store takes in the outcome of a look-up and reports whether it changed the
// address. An address that is still among those found stays: the order of the
// answer of a name server says nothing.
func (r *Resolver) store(host string, found []netip.Addr, err error) bool {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.names[host]
	if !ok {
		return false // forgotten meanwhile
	}
	if err != nil {
		if !n.failing && !errors.Is(err, context.Canceled) {
			n.failing = true
			r.log.Warn("host name does not resolve", zap.String("server", host), zap.Error(err))
		}
		n.due = now.Add(r.opts.Retry)
		return false
	}
	if n.failing {
		r.log.Info("host name resolves again", zap.String("server", host))
	}
	n.failing, n.due = false, now.Add(r.opts.Refresh)
	if slices.Contains(found, n.addr) {
		return false
	}
	n.addr = found[0]
	return true
}
