package marathon

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
)

// master is one configured address of Marathon.
type master struct {
	base url.URL // without user, query and trailing slash
	user *url.Userinfo
}

// String returns the address without credentials.
func (m master) String() string { return m.base.String() }

// endpoint returns the address of a path of Marathon's API below the base.
func (m master) endpoint(path string, query url.Values) *url.URL {
	u := m.base
	u.Path, u.RawPath = m.base.Path+path, ""
	u.RawQuery = query.Encode()
	return &u
}

// Masters are the configured addresses of one Marathon cluster, and what is known
// about which of them to ask first: the leader if it is one of them, else the one
// that answered last, then the others in their cyclic order (contract 2.1, D12).
// All methods may be called from several goroutines at once; none blocks.
type Masters struct {
	list []master

	// mu guards what follows. The stream and the fetches learn from each other
	// in the middle of a request, where no goroutine could be asked.
	mu     sync.Mutex
	first  int    // index of the master to ask first
	leader string // host:port of the leader as Marathon names it, or empty
}

// NewMasters reads base URLs, in order of preference. A path prefix is kept, a
// trailing slash, query or fragment is dropped, and so are duplicates (D1). A
// user and password in a URL are used for that master when there are no other
// credentials. The error names all addresses that cannot be used, without
// anything in them that might be secret.
func NewMasters(addresses []string) (*Masters, error) {
	m := &Masters{}
	var errs []error
	for i, address := range addresses {
		one, err := parseMaster(address)
		if err != nil {
			errs = append(errs, fmt.Errorf("address %d of Marathon (%s): %w", i+1, printable(address), err))
			continue
		}
		if !m.contains(one) {
			m.list = append(m.list, one)
		}
	}
	if len(addresses) == 0 {
		errs = append(errs, errors.New("no address of Marathon"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

func parseMaster(address string) (master, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return master{}, errors.New("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return master{}, errors.New("not an http or https URL")
	case u.Hostname() == "":
		return master{}, errors.New("URL without host")
	}
	return master{
		base: url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")},
		user: u.User,
	}, nil
}

// printable returns the address up to what may be a secret.
func printable(address string) string {
	if i := strings.LastIndex(address, "@"); i >= 0 {
		return "…" + address[i:]
	}
	return address
}

func (m *Masters) contains(one master) bool {
	for _, other := range m.list {
		if other.base == one.base {
			return true
		}
	}
	return false
}

// Addresses returns the configured addresses in their order, without credentials.
func (m *Masters) Addresses() []string {
	var addresses []string
	for _, one := range m.list {
		addresses = append(addresses, one.String())
	}
	return addresses
}

// order returns all masters, the one to ask first in front.
func (m *Masters) order() []master {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append(append([]master{}, m.list[m.first:]...), m.list[:m.first]...)
}

// answered says that a master gave a good answer.
func (m *Masters) answered(one master) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.first = m.index(one)
	m.prefer(m.leader)
}

// failed says that a master did not answer well. If it was in front the next one
// takes its place, and if it led it leads no longer.
func (m *Masters) failed(one master) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.index(one)
	if hostPort(&one.base) == m.leader {
		m.leader = ""
	}
	if i == m.first {
		m.first = (i + 1) % len(m.list)
	}
}

// lead takes in the leader's host and port as a trusted host named it.
func (m *Masters) lead(leader string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leader = leader
	m.prefer(leader)
}

// leaderKnown reports whether somebody named the leader since it last failed.
func (m *Masters) leaderKnown() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leader != ""
}

// isLeader reports whether the URL is at the host that was named as leader.
func (m *Masters) isLeader(u *url.URL) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leader != "" && hostPort(u) == m.leader
}

// configured returns the configured master that the URL belongs to.
func (m *Masters) configured(u *url.URL) (master, bool) {
	for _, one := range m.list {
		if one.base.Scheme == u.Scheme && hostPort(&one.base) == hostPort(u) {
			return one, true
		}
	}
	return master{}, false
}

// prefer puts the leader in front if it is a configured master. The caller holds mu.
func (m *Masters) prefer(leader string) {
	for i, one := range m.list {
		if leader != "" && hostPort(&one.base) == leader {
			m.first = i
			return
		}
	}
}

func (m *Masters) index(one master) int {
	for i, other := range m.list {
		if other.base == one.base {
			return i
		}
	}
	return 0
}

// hostPort returns host and port of a URL in the form in which they compare.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
