package haproxy

import "fmt"

// Version is the branch of a HAProxy, such as 2.6 or 3.2. The zero value is
// older than every released one.
type Version struct {
	Major, Minor int
}

// AtLeast reports whether v is the given branch or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// String returns the branch as people write it, such as "2.6".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// keywordSpec describes one option of a server line.
type keywordSpec struct {
	// args is the number of arguments.
	args int
	// since is the first branch whose "add server" command takes the option;
	// the zero value means that none does.
	since Version
}

// dynamicBase is the floor: what "add server" of 2.6 takes.
var dynamicBase = Version{2, 6}

// serverKeywords are the options of server lines (HAProxy's manual, section 5.2)
// and since when the add server command takes them (management guide, section
// 9.3, and measured on 2.6). An option that is not here makes a server that only
// a reload can add.
var serverKeywords = map[string]keywordSpec{
	"addr": {1, dynamicBase}, "agent-addr": {args: 1}, "agent-check": {0, dynamicBase},
	"agent-inter": {args: 1}, "agent-port": {args: 1}, "agent-send": {args: 1}, "allow-0rtt": {},
	"alpn": {1, dynamicBase}, "backup": {0, dynamicBase}, "ca-file": {1, dynamicBase},
	"check": {0, dynamicBase}, "check-alpn": {args: 1}, "check-proto": {1, dynamicBase},
	"check-send-proxy": {}, "check-sni": {1, dynamicBase}, "check-ssl": {0, dynamicBase},
	"check-via-socks4": {}, "ciphers": {args: 1}, "ciphersuites": {args: 1},
	"cookie": {1, Version{3, 0}}, "crl-file": {args: 1}, "crt": {args: 1},
	"disabled": {0, dynamicBase}, "downinter": {1, dynamicBase}, "enabled": {0, dynamicBase},
	"error-limit": {1, dynamicBase}, "fall": {1, dynamicBase}, "fastinter": {1, dynamicBase},
	"force-sslv3": {}, "force-tlsv10": {}, "force-tlsv11": {}, "force-tlsv12": {}, "force-tlsv13": {},
	"guid": {args: 1}, "hash-key": {args: 1}, "id": {1, dynamicBase}, "idle-ping": {args: 1},
	"init-addr": {args: 1}, "init-state": {args: 1}, "inter": {1, dynamicBase},
	"log-bufsize": {args: 1}, "log-proto": {args: 1}, "max-reuse": {args: 1},
	"maxconn": {1, dynamicBase}, "maxqueue": {1, dynamicBase}, "minconn": {1, dynamicBase},
	"namespace": {args: 1}, "no-agent-check": {}, "no-backup": {}, "no-check": {}, "no-check-ssl": {},
	"no-send-proxy": {}, "no-send-proxy-v2": {}, "no-ssl": {}, "no-ssl-reuse": {}, "no-sslv3": {},
	"no-tls-tickets": {}, "no-tlsv10": {}, "no-tlsv11": {}, "no-tlsv12": {}, "no-tlsv13": {},
	"no-verifyhost": {}, "npn": {args: 1}, "observe": {1, dynamicBase}, "on-error": {args: 1},
	"on-marked-down": {1, dynamicBase}, "on-marked-up": {args: 1}, "pool-low-conn": {args: 1},
	"pool-max-conn": {1, dynamicBase}, "pool-purge-delay": {args: 1}, "port": {1, dynamicBase},
	"proto": {1, dynamicBase}, "proxy-v2-options": {args: 1}, "redir": {args: 1},
	"resolve-net": {args: 1}, "resolve-opts": {args: 1}, "resolve-prefer": {args: 1},
	"resolvers": {args: 1}, "rise": {1, dynamicBase}, "send-proxy": {0, dynamicBase},
	"send-proxy-v2": {0, dynamicBase}, "send-proxy-v2-ssl": {}, "send-proxy-v2-ssl-cn": {},
	"shard": {1, Version{2, 8}}, "slowstart": {1, dynamicBase}, "sni": {1, dynamicBase},
	"socks4": {args: 1}, "source": {1, dynamicBase}, "ssl": {0, dynamicBase}, "ssl-max-ver": {args: 1},
	"ssl-min-ver": {args: 1}, "ssl-reuse": {}, "stick": {}, "strict-maxconn": {}, "tcp-ut": {args: 1},
	"tfo": {}, "tls-tickets": {}, "track": {1, dynamicBase}, "verify": {1, dynamicBase},
	"verifyhost": {args: 1}, "weight": {1, dynamicBase}, "ws": {1, dynamicBase},
}

// addable returns why the add server command of v does not take the keyword, or
// an empty text if it does.
func (k Keyword) addable(v Version) string {
	if k.Unknown {
		return fmt.Sprintf("server option %q is not known", k.Name)
	}
	spec := serverKeywords[k.Name]
	switch {
	case spec.since == Version{}:
		return fmt.Sprintf("server option %s is not taken by add server", k.Name)
	case !v.AtLeast(spec.since.Major, spec.since.Minor):
		return fmt.Sprintf("server option %s needs HAProxy %s or later", k.Name, spec.since)
	case !commandSafe(k.Args):
		return fmt.Sprintf("the value of server option %s cannot be written in a runtime command", k.Name)
	}
	return ""
}

// commandSafe reports whether s can stand in a runtime command as it is: no
// blanks at the ends, no quotes, and none of the characters that are syntax of
// the command line (management guide, section 9.3).
func commandSafe(s string) bool {
	for _, r := range s {
		if r < 0x20 || r > 0x7e || r == ';' || r == '\\' || r == '\'' || r == '"' || r == '#' || r == '<' {
			return false
		}
	}
	return true
}
