package haproxy

import (
	"strings"

	"mlb/discovery"
)

// RewriteValues returns what the templates HTTP_BACKEND_PROXYPASS_GLUE,
// HTTP_BACKEND_REVPROXY_GLUE and HTTP_BACKEND_REDIR need beside the placeholders of
// the contract, as words of a configuration line (D28):
//
//   - setHost: the line that sets Host to the one virtual host, or nothing.
//   - proxyPattern: matches a path that begins with the prefix, where that ends at
//     a slash or the end; group 2 is the rest without its slash.
//   - locationPattern: matches a Location on the service's hosts, or without one.
//   - rootTarget, redirTarget: ReverseProxyPath and RootRedirect as a log-format.
//   - ofHosts: the condition that a request is for one of the hosts, or nothing.
//
// For example, with host a.example.com and prefix /api: proxyPattern is
// '^/api(/(.*))?$'.
func RewriteValues(s discovery.Service) map[string]string {
	v := map[string]string{
		"setHost": "", "ofHosts": "", "proxyPattern": "", "locationPattern": "",
		"rootTarget": logFormatWord(s.ReverseProxyPath), "redirTarget": logFormatWord(s.RootRedirect),
	}
	if len(s.Hosts) == 1 {
		v["setHost"] = "  http-request set-header Host " + s.Hosts[0] + "\n"
	}
	if len(s.Hosts) > 0 {
		v["ofHosts"] = " { req.fhdr(host),host_only -i " + strings.Join(s.Hosts, " ") + " }"
	}
	if s.ProxyPassPath != "" {
		v["proxyPattern"] = word(prefixPattern(s.ProxyPassPath))
	}
	if s.ReverseProxyPath != "" {
		v["locationPattern"] = word(locationPattern(s.Hosts))
	}
	return v
}

// prefixPattern puts what is left of the path into group 2.
func prefixPattern(prefix string) string {
	if strings.HasSuffix(prefix, "/") {
		return "^" + RegexLiteral(prefix) + "(/?(.*))$"
	}
	return "^" + RegexLiteral(prefix) + "(/(.*))?$"
}

// locationPattern matches a whole Location; without hosts one on any host.
func locationPattern(hosts []string) string {
	host := "[^/]*"
	if len(hosts) > 0 {
		literals := make([]string, len(hosts))
		for i, h := range hosts {
			literals[i] = RegexLiteral(h)
		}
		host = "(" + strings.Join(literals, "|") + ")(:[0-9]+)?"
	}
	return "(?i)^((https?:)?//" + host + ")?(/([^/].*)?)?$"
}

// RegexLiteral returns a regular expression (PCRE) that matches exactly s.
func RegexLiteral(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`\.+*?()|[]{}^$`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// logFormatWord returns s as one word whose text is no log-format (HAProxy's manual,
// section 8.2.4: a percent sign is written twice).
func logFormatWord(s string) string {
	if s == "" {
		return ""
	}
	return word(strings.ReplaceAll(s, "%", "%%"))
}

// word quotes a value that the grammar of labels has kept free of line breaks.
func word(s string) string {
	q, err := Quote(s)
	if err != nil {
		return "''"
	}
	return q
}
