package process

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrBindAddress says that an address is not one that BindTest can try: a Unix
// socket, a host name, a port out of range.
var ErrBindAddress = errors.New("not an address and port")

// PortError says that HAProxy could not bind an address.
type PortError struct {
	// Addr is the address and port.
	Addr netip.AddrPort
	// Holders are the foreign processes that listen there as "name (process N)", as
	// far as this process may see them.
	Holders []string
	// Reason is the operating system's error.
	Reason error
}

// Error names the address and who holds it.
func (e *PortError) Error() string {
	if len(e.Holders) == 0 {
		return fmt.Sprintf("bind %s: %v", e.Addr, e.Reason)
	}
	return fmt.Sprintf("bind %s: %v by %s", e.Addr, e.Reason, strings.Join(e.Holders, ", "))
}

// Unwrap returns the operating system's error.
func (e *PortError) Unwrap() error { return e.Reason }

// BindTest finds out whether HAProxy could bind the address of a bind line: "*:80",
// ":80", "127.0.0.1:80", "[::]:80", ":::80", each also with a range of ports such as
// "*:80-89" or a prefix "ipv4@" or "ipv6@". HAProxy sets SO_REUSEPORT, so it would
// share a port with another HAProxy of the same user; BindTest does not, and finds
// that one too. A port that cannot be bound stops every listener for about two
// seconds during a reload.
//
// Listeners of the processes in own (HAProxy's master and workers, see
// [Process.PIDs]) do not count. The error is a [*PortError] for the first port that
// is taken, or wraps [ErrBindAddress]. A port that only HAProxy may be allowed to
// bind, because it is below 1024, passes.
func BindTest(addr string, own ...int) error { return BindTests([]string{addr}, own...)[0] }

// BindTests returns what BindTest says to each of several addresses. What it has to look
// up for that, all connections of this machine and all files of the processes in own, it
// looks up once.
func BindTests(addrs []string, own ...int) []error {
	l := lookUp(own)
	out := make([]error, len(addrs))
	for i, addr := range addrs {
		out[i] = l.bindTest(addr)
	}
	return out
}

func (l *listeners) bindTest(addr string) error {
	addrs, err := parseBind(addr)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if err := l.try(a); err != nil {
			return err
		}
	}
	return nil
}

// try tries one address, first alone and then as HAProxy does it. If only the
// second succeeds, the others share the port (SO_REUSEPORT): one on the very same
// address would get a part of the connections, one on a more special address, such
// as a task on its agent's address, keeps its own and is no obstacle.
func (l *listeners) try(a netip.AddrPort) error {
	err := tryBind(a, false)
	switch {
	case err == nil, errors.Is(err, unix.EACCES):
		return nil
	case !errors.Is(err, unix.EADDRINUSE):
		return &PortError{Addr: a, Reason: err}
	}
	shared := tryBind(a, true) == nil
	if holders, foreign := l.foreign(a, shared); foreign {
		return &PortError{Addr: a, Holders: holders, Reason: err}
	}
	return nil
}

// parseBind reads the address of a bind line.
func parseBind(text string) ([]netip.AddrPort, error) {
	bad := fmt.Errorf("bind %.100q: %w", text, ErrBindAddress)
	rest := strings.TrimPrefix(strings.TrimPrefix(text, "ipv4@"), "ipv6@")
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return nil, bad
	}
	host, ports := strings.Trim(rest[:i], "[]"), rest[i+1:]
	ip := netip.IPv4Unspecified()
	switch {
	case host == "" && strings.HasPrefix(text, "ipv6@"):
		ip = netip.IPv6Unspecified()
	case host != "" && host != "*":
		var err error
		if ip, err = netip.ParseAddr(host); err != nil {
			return nil, errors.Join(bad, err)
		}
	}
	low, high, ranged := strings.Cut(ports, "-")
	if !ranged {
		high = low
	}
	first, errFirst := strconv.ParseUint(low, 10, 16)
	last, errLast := strconv.ParseUint(high, 10, 16)
	if errFirst != nil || errLast != nil || first == 0 || last < first {
		return nil, bad
	}
	var out []netip.AddrPort
	for port := first; port <= last; port++ {
		out = append(out, netip.AddrPortFrom(ip, uint16(port))) //nolint:gosec // parsed as 16 bits
	}
	return out, nil
}

// tryBind binds and lets go, with SO_REUSEPORT if shared. It does not listen, so no client ever reaches it.
func tryBind(addr netip.AddrPort, shared bool) error {
	family, sockaddr := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()})
	if addr.Addr().Is4() {
		family, sockaddr = unix.AF_INET, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	// As HAProxy does: connections that have ended must not count.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if shared {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return fmt.Errorf("socket: %w", err)
		}
	}
	return unix.Bind(fd, sockaddr)
}

// listeners are the listening sockets of this machine, and which of them belong to known
// processes. Both are found out when they are first asked for.
type listeners struct {
	all  func() []listener
	ours func() map[string]bool // by inode
}

// listener is one listening socket.
type listener struct {
	addr  netip.AddrPort
	inode string
}

func lookUp(own []int) *listeners {
	return &listeners{
		all: sync.OnceValue(readListeners),
		ours: sync.OnceValue(func() map[string]bool {
			out := map[string]bool{}
			for _, pid := range own {
				for _, s := range socketsOf(pid) {
					out[s] = true
				}
			}
			return out
		}),
	}
}

// foreign names the processes that listen on an address and are not ours. is is false
// when all listeners belong to ours. A port that is bound without a listener, by an
// outgoing connection, is foreign. exact counts only listeners on the very same address.
func (l *listeners) foreign(addr netip.AddrPort, exact bool) (holders []string, is bool) {
	sockets := inTheWay(l.all(), addr, exact)
	if len(sockets) == 0 {
		return nil, !exact
	}
	sockets = slices.DeleteFunc(sockets, func(s string) bool { return l.ours()[s] })
	if len(sockets) == 0 {
		return nil, false
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, true
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil || !slices.ContainsFunc(socketsOf(pid), func(s string) bool { return slices.Contains(sockets, s) }) {
			continue
		}
		if id, ok := identify(pid); ok {
			holders = append(holders, fmt.Sprintf("%s (process %d)", id.name, pid))
		}
	}
	return holders, true
}

// socketsOf returns the inodes of a process's sockets, as far as they may be seen.
func socketsOf(pid int) []string {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			out = append(out, strings.TrimSuffix(inode, "]"))
		}
	}
	return out
}

// inTheWay returns the inodes of the listeners that keep an address from being bound:
// same port, and the same address or, unless exact, either of them any address.
func inTheWay(all []listener, addr netip.AddrPort, exact bool) []string {
	var out []string
	for _, l := range all {
		anyAddress := !exact && (l.addr.Addr().IsUnspecified() || addr.Addr().IsUnspecified())
		if l.addr.Port() == addr.Port() && (anyAddress || l.addr.Addr().Unmap() == addr.Addr().Unmap()) {
			out = append(out, l.inode)
		}
	}
	return out
}

// readListeners reads the listeners of this machine. The kernel's tables have a line for
// each connection, too, so that takes a while on a busy machine.
func readListeners() []listener {
	var out []listener
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue // no IPv6 on this machine
		}
		out = append(out, parseListeners(string(b))...)
	}
	return out
}

// parseListeners reads /proc/net/tcp or tcp6 (proc(5)).
func parseListeners(table string) []listener {
	const local, state, inode, listening = 1, 3, 9, "0A"
	var out []listener
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) <= inode || f[state] != listening {
			continue
		}
		if addr, ok := parseKernelAddr(f[local]); ok {
			out = append(out, listener{addr, f[inode]})
		}
	}
	return out
}

// parseKernelAddr reads an address as the kernel prints it: hexadecimal 32-bit words
// in the byte order of the machine, a colon, the port.
func parseKernelAddr(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	b, errHost := hex.DecodeString(host)
	n, errPort := strconv.ParseUint(port, 16, 16)
	if errHost != nil || errPort != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip, uint16(n)), ok
}
