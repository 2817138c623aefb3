package haproxy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrConfined is returned for an override that leaves the place it stands for.
var ErrConfined = errors.New("not allowed in this template")

// fileKeywords are server options that make HAProxy read a file.
func fileKeywords() []string { return []string{"ca-file", "crl-file", "crt", "namespace"} }

// ServerLines checks what a team's label put in place of a server line: only
// server lines, each with a valid name, a literal address and known options, none
// of which reads a file or the environment, where passwords may be (D36; an address
// such as unix@/path, of the server or of its check, would lead to HAProxy's own
// socket). It fails with ErrConfined, naming line and rule.
func ServerLines(text string) ([]Server, error) {
	if strings.Contains(text, "$") {
		return nil, fmt.Errorf("environment variable: %w", ErrConfined)
	}
	c, err := Parse("backend x\n" + text)
	if err != nil {
		return nil, err
	}
	if len(c.Sections) != 1 {
		return nil, fmt.Errorf("section %q: %w", c.Sections[1].Kind, ErrConfined)
	}
	if extra := c.Sections[0].Skeleton[1:]; len(extra) > 0 {
		return nil, fmt.Errorf("directive %q: %w", extra[0], ErrConfined)
	}
	for _, s := range c.Sections[0].Servers {
		switch {
		case !ValidName(s.Name):
			return nil, fmt.Errorf("server name %q: %w", s.Name, ErrConfined)
		case !literalAddress(s.Address):
			return nil, fmt.Errorf("server address %q (wanted: IP address and port): %w", s.Address, ErrConfined)
		}
		for _, k := range s.Keywords {
			if k.Unknown || slices.Contains(fileKeywords(), k.Name) || !confined(k) {
				return nil, fmt.Errorf("server option %q: %w", k.Name, ErrConfined)
			}
		}
	}
	return c.Sections[0].Servers, nil
}

// confined reports whether the argument of an option leads nowhere it must not: the
// sample fetch env reads the environment, and checks may be sent to a socket.
func confined(k Keyword) bool {
	if k.Name == "addr" {
		_, err := netip.ParseAddr(k.Args)
		return err == nil
	}
	words, err := Words(k.Args)
	return err == nil && !strings.Contains(strings.Join(words, ""), "env(") && !strings.Contains(k.Args, "env(")
}

// Place says where a label's text is put: what it may name.
type Place struct {
	// Backend is the name of the service's backend, and of its frontend.
	Backend string
	// Bind is the claimed "address:port" of the frontend; empty if it has none.
	Bind string
	// Conditions are the names behind host_, auth_ and app_ of the ACLs that belong
	// to the service: what the contract calls cleanedUpHostname and cleanedUpAppId.
	Conditions []string
}

// Confine checks the expanded text that a label puts in place of a template (its
// name without HAPROXY_). It fails with ErrConfined, naming line and rule (D36).
func Confine(template, text string, p Place) error {
	if template == "BACKEND_SERVER_OPTIONS" {
		_, err := ServerLines(text)
		return err
	}
	return nil
}
