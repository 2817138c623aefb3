package marathon

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mlb/discovery"
)

// portLabel is a label HAPROXY_{n}_NAME.
type portLabel struct {
	index       int
	name, value string
}

// portLabels returns the labels that belong to a port index, sorted by index and
// name.
func portLabels(labels Labels) []portLabel {
	var list []portLabel
	for key, value := range labels {
		n, name := splitLabel(key)
		if n < 0 {
			continue
		}
		list = append(list, portLabel{n, name, value})
	}
	slices.SortFunc(list, func(a, b portLabel) int {
		return cmp.Or(cmp.Compare(a.index, b.index), strings.Compare(a.name, b.name))
	})
	return list
}

// key returns the label's key as users write it.
func (l portLabel) key() string { return labelPrefix + strconv.Itoa(l.index) + "_" + l.name }

// of returns the labels of one port index.
func of(list []portLabel, index int) []portLabel {
	byIndex := func(l portLabel, n int) int { return cmp.Compare(l.index, n) }
	from, _ := slices.BinarySearchFunc(list, index, byIndex)
	to, _ := slices.BinarySearchFunc(list, index+1, byIndex)
	return list[from:to]
}

func find(list []portLabel, name string) (string, bool) {
	for _, l := range list {
		if l.name == name {
			return l.value, true
		}
	}
	return "", false
}

// values is what the labels of one port index say, before it is decided what
// follows from it.
type values struct {
	hosts      []string
	path       string
	port       int
	portGiven  bool
	mode       discovery.Mode
	balance    string
	bind       string
	weight     int
	sticky     bool
	redirect   bool
	hsts       bool
	auth       discovery.Auth
	networks   []string
	overrides  []discovery.Override
	rejections []rejection

	bindOptions string
	bindFiles   []string // the files that bindOptions name
	certificate string

	proxyPass, reverseProxy, rootRedirect string

	checkIndex      int
	checkIndexGiven bool
}

// rejection is a label value that the grammar refuses.
type rejection struct {
	label portLabel
	err   error
	// ignored is true if only the label is ignored; otherwise the service cannot
	// be had without it.
	ignored bool
}

// labelRule says how the value of one label is read.
type labelRule struct {
	// parse stores the value or says what is wrong with it.
	parse func(v *values, text string) error
	// optional labels are ignored when they cannot be read (D22).
	optional bool
	// secret values are never shown.
	secret bool
}

// ruleOf returns the rule of a label, by its name without HAPROXY_ and index.
// GROUP and ENABLED are not here: they decide whether the others are read at all.
func ruleOf(name string) (labelRule, bool) {
	switch name {
	case "VHOST":
		return labelRule{parse: parseHosts}, true
	case "PATH":
		return labelRule{parse: parsePath}, true
	case "PORT":
		return labelRule{parse: parsePort}, true
	case "MODE":
		return labelRule{parse: parseMode}, true
	case "BALANCE":
		return labelRule{parse: parseBalance}, true
	case "BIND_ADDR":
		return labelRule{parse: parseBind}, true
	case "BACKEND_WEIGHT":
		return labelRule{parse: parseWeight, optional: true}, true
	case "BIND_OPTIONS":
		return labelRule{parse: parseBindOptions}, true
	case "SSL_CERT":
		return labelRule{parse: parseCertificate}, true
	case "AUTH":
		return labelRule{parse: parseAuth, secret: true}, true
	case "BACKEND_NETWORK_ALLOWED_ACL":
		return labelRule{parse: parseNetworks}, true
	case "HTTP_BACKEND_PROXYPASS_PATH":
		return labelRule{parse: parseProxyPass}, true
	case "HTTP_BACKEND_REVPROXY_PATH":
		return labelRule{parse: parseReverseProxy}, true
	case "HTTP_BACKEND_REDIR":
		return labelRule{parse: parseRootRedirect}, true
	case "BACKEND_HEALTHCHECK_PORT_INDEX":
		return labelRule{parse: parseCheckIndex, optional: true}, true
	case "USE_HSTS":
		return labelRule{parse: func(v *values, text string) error { v.hsts = truthy(text); return nil }}, true
	case "STICKY":
		return labelRule{parse: func(v *values, text string) error { v.sticky = truthy(text); return nil }}, true
	case "REDIRECT_TO_HTTPS":
		return labelRule{parse: func(v *values, text string) error { v.redirect = truthy(text); return nil }}, true
	}
	if isOverride(name) {
		return labelRule{parse: func(v *values, text string) error { return parseOverride(v, name, text) }}, true
	}
	return labelRule{}, false
}

// parseLabels reads the labels of one port index. Labels without a rule are
// skipped. The folders are those that files of bind options may be in.
func parseLabels(list []portLabel, folders []string) values {
	var v values
	for _, l := range list {
		rule, ok := ruleOf(l.name)
		if !ok {
			continue
		}
		if err := rule.parse(&v, l.value); err != nil {
			if rule.secret {
				l.value = maskedValue
			}
			v.rejections = append(v.rejections, rejection{label: l, err: err, ignored: rule.optional})
		}
	}
	if file, ok := v.outside(folders); ok {
		text, _ := find(list, "BIND_OPTIONS")
		v.rejections = append(v.rejections, rejection{
			label: portLabel{list[0].index, "BIND_OPTIONS", text},
			err: fmt.Errorf("file %q is in no folder of certificates (%s)",
				excerpt(file), strings.Join(append(slices.Clone(folders), "that of SSL_CERT"), ", ")),
		})
	}
	return v
}

// maskedValue stands for a value that must not be shown.
const maskedValue = "(hidden)"

// truthy reports whether a label switches something on: true, t, yes or y in any
// case, not trimmed. No other value is an error.
func truthy(text string) bool {
	switch strings.ToLower(text) {
	case "true", "t", "yes", "y":
		return true
	}
	return false
}

// maxText is the longest value that any label may have, in bytes (contract 10.3).
const maxText = 4096

// plain refuses what no value may contain (contract 10.3).
func plain(text string) error {
	if len(text) > maxText {
		return fmt.Errorf("%d bytes are more than %d", len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return errors.New("not UTF-8")
	}
	for _, r := range text {
		if unicode.IsControl(r) || r == 0xa0 || r == 0x2028 || r == 0x2029 {
			return fmt.Errorf("character %U is not allowed", r)
		}
	}
	return nil
}

// excerpt returns the beginning of a value, enough to recognise it in a report.
func excerpt(text string) string {
	const enough = 200
	if len(text) <= enough {
		return text
	}
	return strings.ToValidUTF8(text[:enough], "") + "…"
}

// parseHosts reads a list of host names, separated by commas or blanks (D24). A
// "*" has no meaning (K5), and bytes outside ASCII stay as they are. A "-" at the
// beginning is refused: HAProxy would take the name for a flag of the condition, and
// crashes on some.
func parseHosts(v *values, text string) error {
	if err := plain(text); err != nil {
		return err
	}
	isSeparator := func(r rune) bool { return r == ',' || r == ' ' }
	for host := range strings.FieldsFuncSeq(strings.ToLower(text), isSeparator) {
		if len(host) > maxName {
			return fmt.Errorf("host name of %d bytes is longer than %d", len(host), maxName)
		}
		if host[0] == '-' {
			return fmt.Errorf("host name %q begins with -", host)
		}
		for _, r := range host {
			if !isLetter(r) && !isDigit(r) && r < 0x80 && !strings.ContainsRune("-._*", r) {
				return fmt.Errorf("character %q is not allowed in a host name", r)
			}
		}
		if !slices.Contains(v.hosts, host) {
			v.hosts = append(v.hosts, host)
		}
	}
	return nil
}

// parsePath reads prefixes of request paths, with HAProxy's match flags before
// them (its manual, section 7.1). Flags that read files are refused. So is the
// apostrophe, which a request path may hold but which HAProxy reads as a quote.
func parsePath(v *values, text string) error {
	if err := plain(text); err != nil {
		return err
	}
	words := strings.Fields(text)
	prefixes := words
	for len(prefixes) > 0 && strings.HasPrefix(prefixes[0], "-") {
		flag := prefixes[0]
		prefixes = prefixes[1:]
		if flag == "--" {
			break
		}
		if flag == "-m" && len(prefixes) > 0 && slices.Contains(matchMethods(), prefixes[0]) {
			prefixes = prefixes[1:]
			continue
		}
		if flag != "-i" && flag != "-n" {
			return fmt.Errorf("flag %s is not allowed", flag)
		}
	}
	if len(words) > 0 && len(prefixes) == 0 {
		return errors.New("no path after the flags")
	}
	for _, p := range prefixes {
		if err := pathWord(p); err != nil {
			return err
		}
	}
	v.path = strings.Join(words, " ")
	return nil
}

// matchMethods are the text comparisons of HAProxy's flag -m that need no regular
// expression and no file.
func matchMethods() []string { return []string{"str", "beg", "end", "sub", "dir", "dom"} }

// pathWord refuses what is no path of RFC 3986, section 3.3.
func pathWord(s string) error {
	for i, r := range s {
		switch {
		case isLetter(r) || isDigit(r) || strings.ContainsRune("-._~!$&()*+,;=:@/", r):
		case r == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
		default:
			return fmt.Errorf("character %q is not allowed in a path", r)
		}
	}
	return nil
}

func isHex(c byte) bool { return isDigit(rune(c)) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// parsePort reads a service port. A number that is no port is kept: what becomes
// of it is decided where ports are given out (D31).
func parsePort(v *values, text string) error {
	n, err := number(text)
	if err != nil {
		return err
	}
	v.port, v.portGiven = n, true
	return nil
}

func parseWeight(v *values, text string) error {
	n, err := number(text)
	if err != nil {
		return err
	}
	v.weight = n
	return nil
}

// number reads a decimal number with an optional sign and blanks around it.
func number(text string) (int, error) {
	n, err := strconv.ParseInt(strings.Trim(text, " "), 10, 32)
	if err != nil {
		return 0, errors.New("not a whole decimal number of at most 32 bits")
	}
	return int(n), nil
}

// parseCheckIndex reads the port index whose health check and port are used.
func parseCheckIndex(v *values, text string) error {
	n, err := number(text)
	if err != nil {
		return err
	}
	v.checkIndex, v.checkIndexGiven = n, true
	return nil
}

func parseMode(v *values, text string) error {
	mode := discovery.Mode(strings.ToLower(strings.Trim(text, " ")))
	if mode != discovery.ModeHTTP && mode != discovery.ModeTCP {
		return errors.New("the mode is neither http nor tcp")
	}
	v.mode = mode
	return nil
}

// parseBalance reads the arguments of HAProxy's balance directive, of which a slip of
// the pen must not cost a check of the file.
func parseBalance(v *values, text string) error {
	words, err := printableWords(text)
	if err != nil {
		return err
	}
	if err := discovery.CheckBalance(words); err != nil {
		return err
	}
	v.balance = strings.Join(words, " ")
	return nil
}

// printableWords splits a value into words of printable ASCII that HAProxy reads
// as they are: no quotes, no "#", and backslashes only in pairs.
func printableWords(text string) ([]string, error) {
	if err := plain(text); err != nil {
		return nil, err
	}
	if strings.Contains(strings.ReplaceAll(text, `\\`, ""), `\`) {
		return nil, errors.New("a single backslash is not allowed")
	}
	for _, r := range text {
		if r > '~' || strings.ContainsRune(`"'#`, r) {
			return nil, fmt.Errorf("character %q is not allowed", r)
		}
	}
	return strings.Fields(text), nil
}

// parseBind reads the address of a service port: "*", an address, or a host name
// that is looked up later. An empty value is none.
func parseBind(v *values, text string) error {
	text = strings.Trim(text, " ")
	if text == "" || text == "*" {
		v.bind = text
		return nil
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	addr, err := netip.ParseAddr(inner)
	switch {
	case err == nil && addr.Zone() == "" && (inner == text || addr.Is6() && text == "["+inner+"]"):
		v.bind = addr.Unmap().String()
		return nil
	case !hostName(text) || strings.Contains(text, ":"):
		return errors.New(`neither "*" nor an address nor a host name`)
	}
	v.bind = text
	return nil
}

// bindName returns the host name that must be looked up for a bind address, or
// nothing.
func (v *values) bindName() string {
	if v.bind == "" || v.bind == "*" {
		return ""
	}
	if _, err := netip.ParseAddr(v.bind); err == nil {
		return ""
	}
	return v.bind
}

// parseOverride reads the text that replaces a template. Any text is accepted
// that consists of lines; what the lines may say is decided where they are
// rendered (D36).
func parseOverride(v *values, template, text string) error {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if err := plain(strings.Map(lineCharacters, text)); err != nil {
		return err
	}
	v.overrides = append(v.overrides, discovery.Override{Template: template, Text: text})
	return nil
}

// lineCharacters maps the control characters that structure a text to blanks.
func lineCharacters(r rune) rune {
	if r == '\n' || r == '\t' {
		return ' '
	}
	return r
}

// isOverride reports whether a label of this name replaces a template.
func isOverride(name string) bool { return slices.Contains(overrideLabels(), name) }

// overrideLabels are the labels that replace a template (contract 4.3), without
// HAPROXY_ and the index. HTTP_BACKEND_REDIR is a template too, but the label of that
// name holds a path (K11).
func overrideLabels() []string {
	return []string{
		"BACKEND_HEAD", "BACKEND_HSTS_OPTIONS", "BACKEND_HTTP_HEALTHCHECK_OPTIONS", "BACKEND_HTTP_OPTIONS",
		"BACKEND_REDIRECT_HTTP_TO_HTTPS", "BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH",
		"BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", "BACKEND_SERVER_OPTIONS", "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS",
		"BACKEND_STICKY_OPTIONS", "BACKEND_TCP_HEALTHCHECK_OPTIONS", "FRONTEND_BACKEND_GLUE", "FRONTEND_HEAD",
		"HTTPS_FRONTEND_ACL", "HTTPS_FRONTEND_ACL_ONLY_WITH_PATH", "HTTPS_FRONTEND_ACL_WITH_AUTH",
		"HTTPS_FRONTEND_ACL_WITH_AUTH_AND_PATH", "HTTPS_FRONTEND_ACL_WITH_PATH",
		"HTTP_BACKEND_NETWORK_ALLOWED_ACL", "HTTP_BACKEND_PROXYPASS_GLUE", "HTTP_BACKEND_REVPROXY_GLUE",
		"HTTP_FRONTEND_ACL", "HTTP_FRONTEND_ACL_ONLY", "HTTP_FRONTEND_ACL_ONLY_WITH_PATH",
		"HTTP_FRONTEND_ACL_ONLY_WITH_PATH_AND_AUTH", "HTTP_FRONTEND_ACL_WITH_AUTH",
		"HTTP_FRONTEND_ACL_WITH_AUTH_AND_PATH", "HTTP_FRONTEND_ACL_WITH_PATH", "HTTP_FRONTEND_APPID_ACL",
		"HTTP_FRONTEND_ROUTING_ONLY", "HTTP_FRONTEND_ROUTING_ONLY_WITH_AUTH", "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH",
		"HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH", "TCP_BACKEND_NETWORK_ALLOWED_ACL", "USERLIST_HEAD",
		"MAP_HTTPS_FRONTEND_ACL", "MAP_HTTP_FRONTEND_ACL", "MAP_HTTP_FRONTEND_ACL_ONLY", "MAP_HTTP_FRONTEND_APPID_ACL",
	}
}
