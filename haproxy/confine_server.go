package haproxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// serverLines checks what a team's label put in place of a server line: only server
// lines, each with a valid name, a literal address and known options (an address
// such as unix@/path would lead to HAProxy's own socket).
func serverLines(text string, p Place) error {
	lines, err := confinedLines(text)
	if err != nil {
		return err
	}
	for _, l := range lines {
		err := refuse("directive %q", l.words[0])
		if l.words[0] == "server" {
			err = confinedServer(l.words, p)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	return nil
}

// serverOptions checks options that are put into each server line.
func serverOptions(text string, p Place) error {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "\n") {
		return refuse("more than one line")
	}
	lines, err := confinedLines(text)
	if err != nil || len(lines) == 0 {
		return err
	}
	return confinedKeywords(parseKeywords(lines[0].words), p)
}

func confinedServer(words []string, p Place) error {
	s := parseServer("", words)
	switch {
	case !ValidName(s.Name):
		return refuse("server name %q", s.Name)
	case !literalAddress(s.Address):
		return refuse("server address %q (wanted: IP address and port)", s.Address)
	case onBalancer(s.Address, p):
		return refuse("server address %q leads to the balancer itself", s.Address)
	}
	return confinedKeywords(s.Keywords, p)
}

// onBalancer reports whether an address, with or without a port, leads to the machine of HAProxy, where
// interfaces trust it, without being a task's. The unspecified address stands for
// whatever the client asked for.
func onBalancer(address string, p Place) bool {
	ip, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if at, portErr := netip.ParseAddrPort(address); portErr == nil {
		ip, err = at.Addr(), nil
	}
	if ip = ip.Unmap(); err != nil || ip.IsUnspecified() {
		return true
	}
	local := ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast()
	return local && !slices.Contains(p.Tasks, ip)
}

// confinedKeywords refuses options of a server line that read files, watch other
// services' servers or lead to sockets.
func confinedKeywords(keywords []Keyword, p Place) error {
	for _, k := range keywords {
		if k.Unknown || slices.Contains(fileKeywords(), k.Name) {
			return refuse("server option %q", k.Name)
		}
		words, err := Words(k.Args)
		if err != nil {
			return err
		}
		for _, w := range words {
			switch {
			case strings.Contains(w, "$"):
				return refuse("server option %s with a variable", k.Name)
			case slices.Contains(addressKeywords(), k.Name) && !literalHost(w):
				return refuse("server option %s %q (wanted: IP address)", k.Name, w)
			case slices.Contains(addressKeywords(), k.Name) && k.Name != "source" && onBalancer(w, p):
				return refuse("server option %s %q leads to the balancer itself", k.Name, w)
			}
			if err := confinedSamples(w, p, false); err != nil {
				return fmt.Errorf("server option %s: %w", k.Name, err)
			}
		}
	}
	return nil
}

// fileKeywords are server options that make HAProxy read a file or depend on
// another service; addressKeywords those that hold an address.
func fileKeywords() []string {
	return []string{"ca-file", "crl-file", "crt", "namespace", "resolvers", "track", "guid"}
}

func addressKeywords() []string { return []string{"addr", "agent-addr", "socks4", "source"} }

// literalHost reports whether s is an IP address, with or without a port.
func literalHost(s string) bool {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(s)
	return err == nil
}
