package marathon

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
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
// that answered last, then the others in their cyclic order (contract 2.1, D12), and
// after them those that lately took their time and gave no answer.
// All methods may be called from several goroutines at once; none blocks.
type Masters struct {
	list []master

	// mu guards what follows. The stream and the fetches learn from each other
	// in the middle of a request, where no goroutine could be asked.
	mu     sync.Mutex
	first  int    // index of the master to ask first
	leader string // host:port of the leader as Marathon names it, or empty
	// avoided is until when a master is asked after the others, by its base.
	avoided map[url.URL]time.Time
}

// avoidance is how long a master that cost a deadline is asked after the others, even if
// they name it as leader: each fetch would wait for it anew.
const avoidance = time.Minute

// NewMasters reads base URLs, in order of preference. A path prefix is kept, a
// trailing slash, query or fragment is dropped, and so are duplicates (D1). A
// user and password in a URL are used for that master when there are no other
// credentials. The error names all addresses that cannot be used, without
// anything in them that might be secret.
func NewMasters(addresses []string) (*Masters, error) {
	m := &Masters{avoided: map[url.URL]time.Time{}}
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
	now := time.Now()
	var order, last []master
	for i := range m.list {
		one := m.list[(m.first+i)%len(m.list)]
		if now.Before(m.avoided[one.base]) {
			last = append(last, one)
		} else {
			order = append(order, one)
		}
	}
	return append(order, last...)
}

// answered says that a master gave a good answer.
func (m *Masters) answered(one master) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.avoided, one.base)
	m.first = m.index(one)
	m.preferLeader()
}

// failed says that a master did not answer well, and why. If it was in front the next
// one takes its place, and if it led it leads no longer.
func (m *Masters) failed(one master, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.index(one)
	if i == m.leaderIndex() {
		m.leader = ""
	}
	if hung(err) {
		m.avoided[one.base] = time.Now().Add(avoidance)
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
	m.preferLeader()
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

// preferLeader puts the leader in front if it is a configured master. The caller holds mu.
func (m *Masters) preferLeader() {
	if i := m.leaderIndex(); i >= 0 {
		m.first = i
	}
}

// leaderIndex returns which configured master leads, or -1. It is the one at the leader's
// address, else the only one at its host: a master that is configured with the port for
// TLS tells others its port without. The caller holds mu.
func (m *Masters) leaderIndex() int {
	host, _, err := net.SplitHostPort(m.leader)
	if err != nil {
		return -1
	}
	at := -1
	for i, one := range m.list {
		switch {
		case hostPort(&one.base) == m.leader:
			return i
		case !strings.EqualFold(one.base.Hostname(), host):
		case at >= 0:
			at = len(m.list) // several
		default:
			at = i
		}
	}
	if at == len(m.list) {
		return -1
	}
	return at
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
