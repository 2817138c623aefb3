package marathon_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mlb/discovery/marathon"
)

// zone answers look-ups from a table that can be changed. A name maps to its
// addresses of the network ip4 or ip6; slow names take their time.
type zone struct {
	mu    sync.Mutex
	table map[string][]string
	slow  map[string]time.Duration
	asked map[string]int
}

func newZone(table map[string][]string) *zone {
	return &zone{table: table, slow: map[string]time.Duration{}, asked: map[string]int{}}
}

func (z *zone) set(name string, addresses ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.table[name] = addresses
}

func (z *zone) times(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name]
}

var errNoSuchHost = errors.New("no such host")

func (z *zone) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	z.mu.Lock()
	wait := z.slow[host]
	if network == "ip4" {
		z.asked[host]++
	}
	z.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(wait):
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	var found []netip.Addr
	for _, text := range z.table[host] {
		if a := netip.MustParseAddr(text); a.Is4() == (network == "ip4") {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return nil, errNoSuchHost
	}
	return found, nil
}

// running starts a resolver in the background of a bubble and returns it with a
// counter of its changes.
func running(t *testing.T, z *zone, capacity int) (*marathon.Resolver, func() int) {
	t.Helper()
	var mu sync.Mutex
	changes := 0
	r := marathon.NewResolver(z, marathon.ResolverOptions{Capacity: capacity}, func() {
		mu.Lock()
		defer mu.Unlock()
		changes++
	}, zap.NewNop())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return r, func() int {
		mu.Lock()
		defer mu.Unlock()
		return changes
	}
}

func resolve(t *testing.T, r *marathon.Resolver, names ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for name, addr := range r.Resolve(t.Context(), names) {
		found[name] = addr.String()
	}
	return found
}

// pass lets time go by in the bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestResolverPrefersIPv4(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := running(t, newZone(map[string][]string{
			"both": {"fd00::1", "10.0.0.1"}, "six": {"fd00::2"}, "any": {"0.0.0.0"},
		}), 10)
		want := map[string]string{"both": "10.0.0.1", "six": "fd00::2"}
		if diff := cmp.Diff(want, resolve(t, r, "both", "six", "none", "any")); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
	})
}

func TestD19ResolverKeepsTheLastGoodAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		z := newZone(map[string][]string{"a": {"10.0.0.1"}})
		r, changes := running(t, z, 10)
		want := map[string]string{"a": "10.0.0.1"}
		resolve(t, r, "a")
		z.set("a")
		pass(10 * time.Minute)
		if diff := cmp.Diff(want, resolve(t, r, "a")); diff != "" || changes() != 0 {
			t.Errorf("after failures: %d changes, addresses (-want +got):\n%s", changes(), diff)
		}
		z.set("a", "10.0.0.2", "10.0.0.3")
		pass(time.Minute)
		if diff := cmp.Diff(map[string]string{"a": "10.0.0.2"}, resolve(t, r, "a")); diff != "" || changes() != 1 {
			t.Errorf("after a move: %d changes, addresses (-want +got):\n%s", changes(), diff)
		}
		z.set("a", "10.0.0.3", "10.0.0.2")
		pass(3 * time.Minute)
		if diff := cmp.Diff(map[string]string{"a": "10.0.0.2"}, resolve(t, r, "a")); diff != "" || changes() != 1 {
			t.Errorf("the order of an answer says nothing: %d changes, addresses (-want +got):\n%s", changes(), diff)
		}
	})
}

func TestResolverBlocksOnlyForNewNamesAndOnlySoLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		z := newZone(map[string][]string{"fast": {"10.0.0.1"}, "slow": {"10.0.0.2"}})
		z.slow["slow"] = 4 * time.Second
		r, changes := running(t, z, 10)
		start := time.Now()
		got := resolve(t, r, "slow", "fast")
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("blocked for %s", took)
		}
		if diff := cmp.Diff(map[string]string{"fast": "10.0.0.1"}, got); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
		start = time.Now()
		resolve(t, r, "slow", "fast")
		if took := time.Since(start); took != 0 {
			t.Errorf("blocked for %s on names that were tried before", took)
		}
		pass(20 * time.Second)
		want := map[string]string{"fast": "10.0.0.1", "slow": "10.0.0.2"}
		if diff := cmp.Diff(want, resolve(t, r, "slow", "fast")); diff != "" || changes() != 1 {
			t.Errorf("later: %d changes, addresses (-want +got):\n%s", changes(), diff)
		}
	})
}

func TestResolverForgetsOnlyWhatThePassDoesNotUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		z := newZone(map[string][]string{"a": {"10.0.0.1"}, "b": {"10.0.0.2"}, "c": {"10.0.0.3"}})
		r, _ := running(t, z, 1)
		all := []string{"a", "b", "c"}
		if got := resolve(t, r, all...); len(got) != 3 {
			t.Fatalf("addresses %v, want three: names in use are kept", got)
		}
		resolve(t, r, all...)
		if n := z.times("a"); n != 1 {
			t.Errorf("a was looked up %d times, want once", n)
		}
		resolve(t, r, "c")
		resolve(t, r, "a")
		if n := z.times("a"); n != 2 {
			t.Errorf("a was looked up %d times, want again after it was forgotten", n)
		}
	})
}

func TestResolverReturnsWhenThePassIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		z := newZone(map[string][]string{"slow": {"10.0.0.2"}})
		z.slow["slow"] = time.Hour
		r := marathon.NewResolver(z, marathon.ResolverOptions{}, nil, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if got := r.Resolve(ctx, []string{"slow"}); len(got) != 0 || time.Since(start) != 0 {
			t.Errorf("Resolve = %v after %s", got, time.Since(start))
		}
	})
}

func TestDeriveAsksForNoNameInVain(t *testing.T) {
	t.Parallel()
	var asked []string
	d := marathon.NewDeriver(external(), resolverFunc(func(names []string) { asked = names }), zap.NewNop())
	other := app("/other", ports(1), label("HAPROXY_GROUP", "internal"), task("t", "agent-of-another-group", 1))
	mine := app("/mine", ports(1), label("HAPROXY_0_BIND_ADDR", "vip"),
		task("t", "b", 1), task("u", "a", 1), task("v", "a", 1), task("w", "10.0.0.1", 1), task("x", "dying", 1), state("TASK_KILLING"))
	overlaid := app("/overlaid", networks("container"), mapping(80, 1), task("t", "agent-of-an-overlay", 1), at("9.0.0.1"))
	snapshot(t, d, other, mine, overlaid)
	if diff := cmp.Diff([]string{"a", "b", "vip"}, asked); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

type resolverFunc func(names []string)

func (f resolverFunc) ResolveMore(ctx context.Context, names []string) map[string]netip.Addr {
	return f.Resolve(ctx, names)
}

func (f resolverFunc) Resolve(_ context.Context, names []string) map[string]netip.Addr {
	f(slices.Clone(names))
	return nil
}
