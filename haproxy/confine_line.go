package haproxy

import (
	"fmt"
	"slices"
	"strings"

	"mlb/discovery"
)

// line checks one line that opens no section.
func (c *confinement) line(words []string) error {
	if err := checkRemoved(words, Version{3, 2}); err != nil {
		return err
	}
	for _, w := range words {
		if err := confinedSamples(w, c.Place, c.maps); err != nil {
			return err
		}
	}
	if c.shared() {
		return c.sharedLine(words)
	}
	switch name := words[0]; {
	case name == "acl":
		return nil
	case isRuleDirective(name):
		_, err := c.rule(words)
		return err
	case c.spot == inUsers:
		if name != "user" && name != "group" {
			return refuse("directive %q", name)
		}
		return nil
	case name == "no":
		if len(words) != 3 || words[1] != "option" || !isFreeOption(words[2]) {
			return refuse("%q", strings.Join(words, " "))
		}
		return nil
	case name == "option":
		if len(words) < 2 || !isFreeOption(words[1]) {
			return refuse("%q", strings.Join(words[:min(2, len(words))], " "))
		}
		return nil
	case name == "mode":
		if len(words) != 2 || words[1] != "http" && words[1] != "tcp" {
			return refuse("%q (wanted: http or tcp)", strings.Join(words, " "))
		}
		return nil
	case name == "http-error":
		_, err := optionsEnd(words, 1, grammar{options: replyOptions()})
		return err
	case name == "stick-table":
		return stickTable(words)
	case c.spot == inFrontend:
		return c.frontendLine(words)
	}
	return c.backendLine(words)
}

// shared reports whether the text stands among the rules of other services.
func (c *confinement) shared() bool { return c.spot == inHosts || c.spot == inApps }

func (c *confinement) frontendLine(words []string) error {
	switch name := words[0]; {
	case name == "bind":
		return c.bind(words)
	case name == "use_backend" || name == "default_backend":
		if len(words) < 2 || words[1] != c.Backend {
			return refuse("%s to another backend than %s", name, c.Backend)
		}
		return nil
	case !isFreeFrontendDirective(name):
		return refuse("directive %q", name)
	}
	return nil
}

// bind allows the one address that was claimed for the service (D30), with the
// options that its other labels give and those that touch no file.
func (c *confinement) bind(words []string) error {
	switch {
	case c.head == nil || c.bound:
		return refuse("a further bind line")
	case len(words) < 2 || c.Bind == "" || !sameBind(words[1], c.Bind):
		return refuse("bind of another address than %s", c.Bind)
	}
	c.bound = true
	options := words[2:]
	if own := strings.Fields(c.BindOptions); len(own) > 0 {
		for i := range options {
			if len(options)-i >= len(own) && slices.Equal(options[i:i+len(own)], own) {
				options = slices.Concat(options[:i], options[i+len(own):])
				break
			}
		}
	}
	for i := 0; i < len(options); i++ {
		args, ok := freeBindOption(options[i])
		if !ok {
			return refuse("option %q of a bind line", options[i])
		}
		for _, a := range options[i+1 : min(i+1+args, len(options))] {
			if strings.ContainsAny(a, "$/") && options[i] != "alpn" {
				return refuse("option %s %q of a bind line", options[i], a)
			}
		}
		i += args
	}
	return nil
}

// sameBind reports whether two addresses of bind lines are the same; an IPv4
// address may be left out or written as zeros.
func sameBind(a, b string) bool {
	any4 := func(s string) string {
		host, port, ok := strings.Cut(s, ":")
		if ok && (host == "" || host == "0.0.0.0") {
			return "*:" + port
		}
		return s
	}
	return any4(a) == any4(b)
}

// freeBindOption returns how many arguments an option of a bind line takes; ok is
// false for what a template may not say: files, sockets and rights.
func freeBindOption(name string) (args int, ok bool) {
	switch name {
	case "accept-proxy", "allow-0rtt", "defer-accept", "force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13",
		"no-alpn", "no-sslv3", "no-strict-sni", "no-tls-tickets", "no-tlsv10", "no-tlsv11", "no-tlsv12", "no-tlsv13",
		"prefer-client-ciphers", "ssl", "strict-sni", "tfo", "tls-tickets", "v4v6", "v6only":
		return 0, true
	case "alpn", "backlog", "ciphers", "ciphersuites", "client-sigalgs", "curves", "ecdhe", "maxconn", "mss", "name", "npn",
		"proto", "sigalgs", "ssl-max-ver", "ssl-min-ver", "tcp-ut":
		return 1, true
	}
	return 0, false
}

func (c *confinement) backendLine(words []string) error {
	switch name := words[0]; {
	case name == "server":
		return confinedServer(words, c.Place)
	case name == "default-server":
		return confinedKeywords(parseKeywords(words[1:]), c.Place)
	case name == "http-check" || name == "tcp-check":
		return c.checkRule(words)
	case name == "balance":
		if err := discovery.CheckBalance(words[1:]); err != nil {
			return refuse("balance: %v", err)
		}
		return nil
	case name == "stick":
		if i := slices.Index(words, "table"); i > 0 && (i+1 == len(words) || words[i+1] != c.Backend) {
			return refuse("stick table of another section")
		}
		return nil
	case !isFreeBackendDirective(name):
		return refuse("directive %q", name)
	}
	return nil
}

// checkRule keeps a health check on IP addresses of others.
func (c *confinement) checkRule(words []string) error {
	if len(words) < 2 || words[1] != "connect" {
		return nil
	}
	for i, w := range words[2:] {
		if w == "addr" && (i+3 >= len(words) || !literalHost(words[i+3])) {
			return refuse("%s connect to another address than an IP address", words[0])
		}
		if w == "addr" && onBalancer(words[i+3], c.Place) {
			return refuse("%s connect to %q, which leads to the balancer itself", words[0], words[i+3])
		}
	}
	return nil
}

// stickTable keeps a table in memory of a bounded size and out of other machines.
func stickTable(words []string) error {
	for i, w := range words {
		switch {
		case w == "peers" || w == "write-to":
			return refuse("stick-table with %s", w)
		case w == "size" && i+1 < len(words) && !tableSize(words[i+1]):
			return refuse("stick-table of size %q (wanted: at most 1m)", words[i+1])
		}
	}
	return nil
}

// tableSize reports whether s is a number of up to about a million entries.
func tableSize(s string) bool {
	digits := strings.TrimRight(s, "k")
	return s == "1m" || len(s)-len(digits) <= 1 && len(digits) <= 3 && isNumber(digits) ||
		len(s) == len(digits) && len(digits) <= 6 && isNumber(digits)
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isFreeFrontendDirective and isFreeBackendDirective name what a service may say as
// it likes in a section of its own (HAProxy's manual, section 4).
func isFreeFrontendDirective(name string) bool {
	switch name {
	case "backlog", "capture", "clitcpka-cnt", "clitcpka-idle", "clitcpka-intvl", "compression", "declare", "description",
		"disabled", "enabled", "error-log-format", "errorloc", "errorloc302", "errorloc303", "log-format", "log-format-sd",
		"log-tag", "max-session-srv-conns", "maxconn", "monitor", "monitor-uri", "rate-limit", "timeout",
		"unique-id-format", "unique-id-header":
		return true
	}
	return false
}

func isFreeBackendDirective(name string) bool {
	switch name {
	case "balance", "compression", "cookie", "description", "disabled", "dynamic-cookie-key", "enabled", "errorloc",
		"errorloc302", "errorloc303", "force-persist", "fullconn", "hash-balance-factor", "hash-preserve-affinity",
		"hash-type", "http-reuse", "http-send-name-header", "ignore-persist", "max-keep-alive-queue", "persist", "retries",
		"retry-on", "srvtcpka-cnt", "srvtcpka-idle", "srvtcpka-intvl", "timeout", "use-server":
		return true
	}
	return false
}

// isFreeOption names the options that neither run programs nor let clients choose
// where a connection goes.
func isFreeOption(name string) bool {
	switch name {
	case "abortonclose", "accept-invalid-http-request", "accept-invalid-http-response",
		"accept-unsafe-violations-in-http-request", "accept-unsafe-violations-in-http-response", "allbackups", "checkcache",
		"clitcpka", "contstats", "disable-h2-upgrade", "dontlog-normal", "dontlognull", "forwarded", "forwardfor",
		"h1-case-adjust-bogus-client", "h1-case-adjust-bogus-server", "http-buffer-request", "http-drop-request-trailers",
		"http-drop-response-trailers", "http-ignore-probes", "http-keep-alive", "http-no-delay", "http-pretend-keepalive",
		"http-restrict-req-hdr-names", "http-server-close", "http-use-proxy-header", "httpchk", "httpclose", "httplog",
		"httpslog", "idle-close-on-response", "independent-streams", "ldap-check", "log-health-checks",
		"log-separate-errors", "logasap", "mysql-check", "nolinger", "originalto", "persist", "pgsql-check",
		"prefer-last-server", "redis-check", "redispatch", "smtpchk", "socket-stats", "splice-auto", "splice-request",
		"splice-response", "spop-check", "srvtcpka", "ssl-hello-chk", "tcp-check", "tcp-smart-accept", "tcp-smart-connect",
		"tcpka", "tcplog":
		return true
	}
	return false
}

// isRuleDirective reports whether a directive is a list of rules with actions.
func isRuleDirective(name string) bool {
	switch name {
	case "http-request", "http-response", "http-after-response", "tcp-request", "tcp-response", "redirect":
		return true
	}
	return false
}

// rule checks the action of a line against its grammar and returns the condition
// that follows it: nothing, or if or unless and its terms.
func (c *confinement) rule(words []string) (condition []string, err error) {
	name, g, at := ruleGrammar(words)
	if at == 0 {
		return nil, refuse("action %q", name)
	}
	if i := slices.Index(words, "table"); i > 0 && strings.HasPrefix(name, "track-sc") && (i+1 == len(words) || words[i+1] != c.Backend) {
		return nil, refuse("stick table of another section")
	}
	end, err := optionsEnd(words, at, g)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return words[end:], nil
}
