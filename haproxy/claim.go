package haproxy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mlb/discovery"
)

// Proxy is a service together with what it owns in HAProxy.
type Proxy struct {
	discovery.Service
	// Name is the name of the service's backend section.
	Name string
	// Bind is the "address:port" of the service port's frontend. Empty means
	// that the service has none; its hosts and its app ID still lead to it.
	Bind string
}

// Equal reports whether two proxies say the same.
func (p Proxy) Equal(o Proxy) bool {
	return p.Name == o.Name && p.Bind == o.Bind && p.Service.Equal(o.Service)
}

// SameButEndpoints reports whether two proxies differ at most in their endpoints.
func (p Proxy) SameButEndpoints(o Proxy) bool {
	return p.Name == o.Name && p.Bind == o.Bind && p.Service.SameButEndpoints(o.Service)
}

// Claims are the addresses that no service may bind.
type Claims struct {
	// DefaultAddress is the bind address of services that name none.
	DefaultAddress string
	// Own are mlb's listeners as "address:port"; "*" stands for any address.
	Own []string
	// Taken are "address:port" pairs that another process was found to hold.
	Taken []string
}

// Claim settles who owns which name, address and port, by the order of (app ID,
// port index), and returns the services that may be rendered, in the order of
// discovery.CompareServices, with a Problem for each loser. What an app loses is
// its frontend (D30, D31); two ports of one app on one service port, or a name
// that HAProxy cannot take or that is taken, cost the service as a whole.
func Claim(services []discovery.Service, c Claims) ([]Proxy, []discovery.Problem) {
	ordered := slices.Clone(services)
	slices.SortStableFunc(ordered, func(a, b discovery.Service) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.PortIndex, b.PortIndex))
	})
	k := claimer{claims: c, names: map[string]discovery.Service{}, binds: map[int][]holder{}}
	for _, own := range c.Own {
		k.hold(own, "mlb itself")
	}
	for _, taken := range c.Taken {
		k.hold(taken, "another process")
	}
	twins := twinPorts(ordered)
	proxies := make([]Proxy, 0, len(ordered))
	for _, s := range ordered {
		if p, ok := k.claim(s, twins[portOf{s.App, portWord(s)}]); ok {
			proxies = append(proxies, p)
		}
	}
	slices.SortFunc(proxies, func(a, b Proxy) int { return discovery.CompareServices(a.Service, b.Service) })
	return proxies, k.problems
}

type portOf struct {
	app, port string
}

// twinPorts counts how often an app uses one service port.
func twinPorts(services []discovery.Service) map[portOf]int {
	n := make(map[portOf]int, len(services))
	for _, s := range services {
		n[portOf{s.App, portWord(s)}]++
	}
	return n
}

type holder struct {
	address string
	owner   string
}

type claimer struct {
	claims   Claims
	names    map[string]discovery.Service
	binds    map[int][]holder
	problems []discovery.Problem
}

func (k *claimer) hold(bind, owner string) {
	address, port := SplitBind(bind)
	k.binds[port] = append(k.binds[port], holder{address, owner})
}

func (k *claimer) problem(s discovery.Service, reason, format string, args ...any) {
	k.problems = append(k.problems, discovery.Problem{
		App: s.App, PortIndex: s.PortIndex, Value: strconv.Itoa(s.ServicePort),
		Reason: reason, Detail: fmt.Sprintf(format, args...),
	})
}

func (k *claimer) claim(s discovery.Service, twins int) (Proxy, bool) {
	p := Proxy{Service: s, Name: ServiceBackendName(s)}
	if twins > 1 {
		k.problem(s, "service port used twice in the app",
			"service port %s is used by %d ports of the app; none of them is served", portWord(s), twins)
		return p, false
	}
	if !ValidName(p.Name) {
		k.problem(s, "invalid name", "%q cannot be the name of a backend (letters, digits, -, _, . and :)", p.Name)
		return p, false
	}
	if other, ok := k.names[p.Name]; ok {
		k.problem(s, "name taken", "backend name %s belongs to %s port index %d", p.Name, other.App, other.PortIndex)
		return p, false
	}
	k.names[p.Name] = s
	p.Bind = k.bind(s)
	return p, true
}

// bind returns the address that the service's frontend gets, or "" with the
// problem noted if it should get one.
func (k *claimer) bind(s discovery.Service) string {
	if s.PortName != "" {
		return ""
	}
	if s.ServicePort < 1 || s.ServicePort > 65535 {
		k.problem(s, "service port out of range",
			"service port %d is not between 1 and 65535; only hosts and app id lead to the service", s.ServicePort)
		return ""
	}
	address := cmp.Or(s.BindAddress, k.claims.DefaultAddress, "*")
	for _, h := range k.binds[s.ServicePort] {
		if addressesClash(h.address, address) {
			k.problem(s, "service port taken",
				"service port %d on %s is held by %s; only hosts and app id lead to the service",
				s.ServicePort, address, h.owner)
			return ""
		}
	}
	bind := JoinBind(address, s.ServicePort)
	k.hold(bind, fmt.Sprintf("%s port index %d", s.App, s.PortIndex))
	return bind
}

// JoinBind writes address and port as a bind line has them; an IPv6 address is
// put in brackets.
func JoinBind(address string, port int) string {
	if a, err := netip.ParseAddr(address); err == nil && a.Is6() {
		address = "[" + address + "]"
	}
	return address + ":" + strconv.Itoa(port)
}

// SplitBind cuts the address argument of a bind line at its last colon, brackets
// around an IPv6 address removed. A missing or unreadable port is 0.
func SplitBind(bind string) (address string, port int) {
	i := strings.LastIndexByte(bind, ':')
	if i < 0 {
		return bind, 0
	}
	port, err := strconv.Atoi(bind[i+1:])
	if err != nil {
		port = 0
	}
	return strings.Trim(bind[:i], "[]"), port
}

// addressesClash reports whether two binds of one port on these addresses would
// share connections: equal ones, or one of them stands for all of its family.
func addressesClash(a, b string) bool {
	familyA, anyA := bindFamily(a)
	familyB, anyB := bindFamily(b)
	if familyA != familyB && familyA != 0 && familyB != 0 {
		return false
	}
	return anyA || anyB || canonicalAddress(a) == canonicalAddress(b)
}

// canonicalAddress writes an address in one way; a name stays as it is.
func canonicalAddress(address string) string {
	a, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		return address
	}
	return a.String()
}

// bindFamily returns 4 or 6, or 0 for a name, and whether the address stands for
// all of the family.
func bindFamily(address string) (family int, wildcard bool) {
	if address == "*" || address == "" {
		return 4, true
	}
	a, err := netip.ParseAddr(strings.Trim(address, "[]"))
	switch {
	case err != nil:
		return 0, false
	case a.Is4():
		return 4, a.IsUnspecified()
	}
	return 6, a.IsUnspecified()
}
