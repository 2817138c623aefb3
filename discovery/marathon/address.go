package marathon

import (
	"net/netip"
	"strings"
)

// maxName is the longest host name that there is, in bytes (RFC 1035).
const maxName = 253

// literal returns the address that text is, without any look-up. An address with
// a zone, and the one that stands for "any", are no addresses of a task.
func literal(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.IsUnspecified() {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// byHost reports whether the tasks of a network mode are reached at their agent,
// and not at an address of their own: only the literal mode container says so
// (contract 2.5).
func byHost(mode string) bool { return mode != modeContainer }

// taskAddress returns where a task is reached. addresses holds what host names
// resolve to. The reason is empty if there is an address.
func taskAddress(mode string, t *Task, addresses map[string]netip.Addr) (addr netip.Addr, reason string) {
	if !byHost(mode) {
		if len(t.IPAddresses) == 0 {
			return netip.Addr{}, reasonNoAddress
		}
		addr, ok := literal(t.IPAddresses[0].Address)
		if !ok {
			return netip.Addr{}, reasonNoAddress
		}
		return addr, ""
	}
	if addr, ok := literal(t.Host); ok {
		return addr, ""
	}
	if addr, ok := addresses[t.Host]; ok {
		return addr, ""
	}
	return netip.Addr{}, reasonUnresolved
}

// hostName reports whether text can be a host name or address: letters, digits,
// dash, dot, underscore and, for addresses, colon.
func hostName(text string) bool {
	return text != "" && len(text) <= maxName && !strings.ContainsFunc(text, func(r rune) bool {
		return !isLetter(r) && !isDigit(r) && !strings.ContainsRune("-._:", r)
	})
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
