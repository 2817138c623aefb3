package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// BindAddress is where one of the fixed listeners listens. The zero value is not
// valid.
type BindAddress struct {
	// Host is "*" for all addresses, an IP literal without brackets, or a name.
	Host string
	// Port is 1 to 65535.
	Port int
}

// String returns the address as HAProxy's bind line takes it: "*:80",
// "127.0.0.1:80", "[::1]:80".
func (b BindAddress) String() string { return net.JoinHostPort(b.Host, strconv.Itoa(b.Port)) }

// overlaps says whether both cannot be bound at once. Names are compared as text.
func (b BindAddress) overlaps(other BindAddress) bool {
	return b.Port == other.Port && (b.Host == other.Host || wildcard(b.Host) || wildcard(other.Host))
}

// wildcard says whether host means all addresses.
func wildcard(host string) bool {
	return host == "*" || host == "0.0.0.0" || host == "::"
}

// parseBindAddress reads ADDR:PORT; an empty ADDR means all addresses.
func parseBindAddress(word string) (BindAddress, error) {
	host, port, err := net.SplitHostPort(word)
	if err != nil {
		return BindAddress{}, errors.New("want ADDR:PORT")
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 1 || number > maxPort {
		return BindAddress{}, fmt.Errorf("port %q is not between 1 and %d", port, maxPort)
	}
	if host == "" {
		host = "*"
	}
	if host, err = parseBindHost(host); err != nil {
		return BindAddress{}, err
	}
	return BindAddress{Host: host, Port: number}, nil
}

// parseBindHost reads "*", an IP literal or a host name. Whatever could be more
// than one word of a bind line is refused.
func parseBindHost(word string) (string, error) {
	if word == "*" {
		return word, nil
	}
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(word, "["), "]")); err == nil && addr.Zone() == "" {
		return addr.String(), nil
	}
	if word == "" || strings.HasPrefix(word, "-") || strings.ContainsFunc(word, notHostByte) {
		return "", fmt.Errorf("%q is neither *, an IP address nor a host name", word)
	}
	return word, nil
}

// notHostByte says whether r cannot be part of a host name.
func notHostByte(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
		return false
	default:
		return true
	}
}

// maxPort is the highest port number of TCP.
const maxPort = 65535

// What HAProxy needs descriptors for. HAProxy 2.6 refuses to start ("Cannot
// raise FD limit") below 2·maxconn, one for each bind line, one for each server
// with a check, and about 28 of its own with two threads, some more with each
// further thread.
const (
	// wantedMaxConn is the global maxconn of contract 5.2.
	wantedMaxConn = 50000
	// descriptorsPerConnection counts the client's side and the server's side.
	descriptorsPerConnection = 2
	// ownDescriptors are HAProxy's own: threads, pipes, sockets of the master.
	ownDescriptors = 256
	// shareOfTheRest is the divisor of the part of the limit that is kept for
	// bind lines and checked servers, which come and go without a restart.
	shareOfTheRest = 4
	// leastMaxConn is used when the limit carries nothing sensible; HAProxy's
	// own message then names what it needs.
	leastMaxConn = 16
)

// MaxConn returns the global maxconn for a hard limit of hard open files: 50000
// (contract 5.2), or what the limit carries when a quarter of it is kept for
// listeners and health checks. The second result says that it is less than
// 50000, which is to be reported. RLIM_INFINITY is a limit like any other.
func MaxConn(hard uint64) (maxconn int, reduced bool) {
	reserve := min(hard/shareOfTheRest+ownDescriptors, hard/2)
	carried := (hard - reserve) / descriptorsPerConnection
	if carried >= wantedMaxConn {
		return wantedMaxConn, false
	}
	return max(int(carried), leastMaxConn), true
}
