package haproxy

import (
	"crypto/sha1" //nolint:gosec // names and ids must agree with those of a running marathon-lb (contract 6).
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"

	"mlb/discovery"
)

// Clean replaces every character outside A-Z, a-z, 0-9 and "-" by "_". It is the
// clean() of the contract's section 6.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if isAlphanumeric(r) || r == '-' {
			return r
		}
		return '_'
	}, s)
}

// BackendName returns the name of the section for a service: the app ID without
// its first slash, further slashes as "_", then "_" and the service port
// (contract 6.1). What names the app's cluster stays in front, as in
// "east:shop_cart_10001".
func BackendName(app string, servicePort int) string {
	return flatten(app) + "_" + strconv.Itoa(servicePort)
}

// ServiceBackendName returns the name of the section for any service: BackendName,
// or with the port's name at its end if it has no service port.
func ServiceBackendName(s discovery.Service) string { return flatten(s.App) + "_" + portWord(s) }

// portWord returns what tells the ports of an app apart in names.
func portWord(s discovery.Service) string {
	if s.PortName != "" {
		return s.PortName
	}
	return strconv.Itoa(s.ServicePort)
}

// HostConditionName returns what the contract calls cleanedUpHostname, the part
// of ACL names that stands for the hosts of one service, which must have one: the
// cleaned first host, the app and, so that two ports of an app never share a
// condition (D32), the service port.
func HostConditionName(s discovery.Service) string {
	return Clean(s.Hosts[0]) + "_" + ServiceBackendName(s)
}

// AppConditionName returns what the contract calls cleanedUpAppId. The service
// port, or the port's name, keeps it apart from other ids that look the same when
// cleaned (D33). What names the app's cluster ends at the first "_", as an id begins with
// one.
func AppConditionName(s discovery.Service) string { return Clean(s.App) + "_" + portWord(s) }

// ServerName returns the name of a task's server line: agent, address and port,
// or address and port when the agent is known by its address (contract 6.1). It
// never depends on other tasks, so a removal renames nobody.
func ServerName(e discovery.Endpoint) string {
	name := e.Address.String() + "_" + strconv.Itoa(e.Port)
	if e.Agent != e.Address.String() {
		name = e.Agent + "_" + name
	}
	return Clean(name)
}

// Cookie returns the persistence cookie's value for a server: the first ten hex
// digits of the SHA-1 of its name (contract 4.5).
func Cookie(server string) string {
	sum := sha1.Sum([]byte(server)) //nolint:gosec // not a secret, see above.
	return hex.EncodeToString(sum[:])[:10]
}

// maxServerID is one more than the largest id that ServerID gives (contract 6.2).
const maxServerID = 32767

// ServerID returns the id for a server line, 1 to 32766, avoiding the ids that
// are taken in its backend already; it records the new one in taken. The id
// depends on the servers asked for before in the same backend (contract 6.2).
func ServerID(server string, taken map[int]bool) int {
	for name := server; ; {
		sum := sha256.Sum256([]byte(name))
		rest := new(big.Int).Mod(new(big.Int).SetBytes(sum[:]), big.NewInt(maxServerID))
		if id := int(rest.Int64()); id != 0 && !taken[id] {
			taken[id] = true
			return id
		}
		name += " " + hex.EncodeToString(sum[:])
	}
}

// ValidName reports whether HAProxy accepts s as the name of a section or server
// (HAProxy's manual, section 2.2: letters, digits, "-", "_", "." and ":").
func ValidName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("-_.:", r)
	}) < 0
}

func flatten(app string) string {
	return strings.ReplaceAll(strings.Replace(app, "/", "", 1), "/", "_")
}

func isAlphanumeric(r rune) bool {
	return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
}
