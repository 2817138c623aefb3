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
	// until is the first branch whose command no longer takes it; zero means that
	// all later ones do.
	until Version
}

// option returns what is known about an option of server lines (HAProxy's manual,
// section 5.2) and since when the add server command takes it (management guide,
// section 9.3, and measured on 2.6, 3.0 and 3.2). An option that is not here makes a server
// that only a reload can add. So do crt and crl-file: the command takes them, but
// reads no file that HAProxy did not read at its start.
func option(name string) (spec keywordSpec, ok bool) {
	base := Version{2, 6}
	switch name {
	case "agent-check", "allow-0rtt", "backup", "check", "check-send-proxy", "check-ssl", "check-via-socks4",
		"disabled", "force-sslv3", "force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13",
		"no-backup", "no-send-proxy", "no-send-proxy-v2", "no-ssl-reuse", "no-sslv3", "no-tls-tickets",
		"no-tlsv10", "no-tlsv11", "no-tlsv12", "no-tlsv13", "send-proxy", "send-proxy-v2", "send-proxy-v2-ssl",
		"send-proxy-v2-ssl-cn", "ssl", "tfo", "tls-tickets":
		return keywordSpec{since: base}, true
	case "addr", "agent-addr", "agent-inter", "agent-port", "agent-send", "alpn", "ca-file", "check-alpn",
		"check-proto", "check-sni", "ciphers", "ciphersuites", "downinter", "error-limit", "fall", "fastinter",
		"id", "inter", "maxconn", "maxqueue", "minconn", "npn", "observe", "on-error", "on-marked-down",
		"on-marked-up", "pool-low-conn", "pool-max-conn", "pool-purge-delay", "port", "proto",
		"proxy-v2-options", "rise", "slowstart", "sni", "source", "ssl-max-ver", "ssl-min-ver", "track",
		"verify", "verifyhost", "weight", "ws":
		return keywordSpec{args: 1, since: base}, true
	case "enabled":
		return keywordSpec{since: base, until: Version{3, 0}}, true
	case "shard":
		return keywordSpec{args: 1, since: Version{2, 7}}, true
	case "cookie", "guid", "hash-key":
		return keywordSpec{args: 1, since: Version{3, 0}}, true
	case "init-state":
		return keywordSpec{args: 1, since: Version{3, 1}}, true
	case "idle-ping":
		return keywordSpec{args: 1, since: Version{3, 2}}, true
	case "strict-maxconn":
		return keywordSpec{since: Version{3, 2}}, true
	case "no-agent-check", "no-check", "no-check-ssl", "no-ssl", "no-verifyhost", "ssl-reuse", "stick":
		return keywordSpec{}, true
	case "crl-file", "crt", "init-addr", "log-bufsize", "log-proto",
		"max-reuse", "namespace", "redir", "resolve-net", "resolve-opts", "resolve-prefer", "resolvers", "socks4",
		"tcp-ut":
		return keywordSpec{args: 1}, true
	}
	return keywordSpec{}, false
}

// addable returns why the add server command of v does not take the keyword, or
// an empty text if it does.
func (k Keyword) addable(v Version) string {
	if k.Unknown {
		return fmt.Sprintf("server option %q is not known", k.Name)
	}
	spec, _ := option(k.Name)
	switch {
	case spec.since == Version{}:
		return fmt.Sprintf("server option %s is not taken by add server", k.Name)
	case spec.until != Version{} && v.AtLeast(spec.until.Major, spec.until.Minor):
		return fmt.Sprintf("server option %s is not taken by add server from HAProxy %s on", k.Name, spec.until)
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
