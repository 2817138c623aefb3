package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientHeader is the header in which the statistics listener says whose request it
// forwards. HAProxy sets it, whatever the client sent; it counts on the Unix socket
// only.
const ClientHeader = "X-Mlb-Client"

// Sources are the client addresses that may send signals and see the configuration
// (D49, D51). The zero value is everybody, as with marathon-lb.
type Sources struct {
	// Restricted says that nobody counts but clients in Networks.
	Restricted bool
	// Networks are the networks in the order given, host bits zero.
	Networks []netip.Prefix
}

// ParseSources reads "all", "none", or addresses and networks separated by commas,
// such as "10.0.0.0/8,192.0.2.1,::1". Nothing means none. The error names the word
// that is wrong.
func ParseSources(text string) (Sources, error) {
	switch text = strings.TrimSpace(text); text {
	case "all":
		return Sources{}, nil
	case "", "none":
		return Sources{Restricted: true}, nil
	}
	s := Sources{Restricted: true}
	for word := range strings.SplitSeq(text, ",") {
		network, err := parseNetwork(strings.TrimSpace(word))
		if err != nil {
			return Sources{}, err
		}
		s.Networks = append(s.Networks, network)
	}
	return s, nil
}

// parseNetwork reads an address or a network.
func parseNetwork(word string) (netip.Prefix, error) {
	if network, err := netip.ParsePrefix(word); err == nil {
		return network.Masked(), nil
	}
	address, err := netip.ParseAddr(word)
	if err != nil || address.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network", word)
	}
	return netip.PrefixFrom(address, address.BitLen()), nil
}

// String returns what ParseSources reads.
func (s Sources) String() string {
	switch {
	case !s.Restricted:
		return "all"
	case len(s.Networks) == 0:
		return "none"
	}
	words := make([]string, len(s.Networks))
	for i, n := range s.Networks {
		words[i] = n.String()
	}
	return strings.Join(words, ",")
}

// allow says whether the request comes from one of the sources.
func (s Sources) allow(r *http.Request) bool {
	if !s.Restricted {
		return true
	}
	client, err := clientOf(r)
	if errors.Is(err, errLocal) {
		return true
	}
	return err == nil && slices.ContainsFunc(s.Networks, func(n netip.Prefix) bool { return n.Contains(client) })
}

// errLocal is returned for a request by a program that may use the Unix socket,
// whose permissions are what decides about it.
var errLocal = errors.New("local request")

// clientOf returns the address of the client. On the Unix socket it is what HAProxy
// says, elsewhere that of the connection.
func clientOf(r *http.Request) (netip.Addr, error) {
	text := r.RemoteAddr
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		said, ok := r.Header[ClientHeader]
		if !ok {
			return netip.Addr{}, errLocal
		}
		text = strings.Join(said, ",")
	} else if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	address, err := netip.ParseAddr(text)
	return address.WithZone("").Unmap(), err
}
