package haproxy

import (
	"slices"
	"strings"
)

// collect notes the ACLs that a text defines, all definitions of one together.
func (c *confinement) collect(words []string) {
	if words[0] != "acl" || len(words) < 3 {
		return
	}
	before, known := c.conditions[words[1]]
	c.conditions[words[1]] = c.scoping(words[2:]) && (before || !known)
}

// sharedLine checks a line among the rules of other services: conditions with names
// of the service's own, and rules that concern its own requests only.
func (c *confinement) sharedLine(words []string) error {
	for i, w := range words {
		// As a converter it acts on every request for which the line is looked at.
		if i != 1 && strings.Contains(w, "set-var") {
			return refuse("%q among the rules of other services", w)
		}
	}
	switch words[0] {
	case "acl":
		return c.sharedCondition(words)
	case "use_backend":
		return c.route(words)
	case "redirect", "http-request":
	default:
		return refuse("directive %q among the rules of other services", words[0])
	}
	condition, err := c.rule(words)
	if err != nil {
		return err
	}
	if words[0] == "http-request" {
		if err := c.sharedAction(words); err != nil {
			return err
		}
	}
	return c.scoped(words, condition)
}

// route checks a use_backend rule.
func (c *confinement) route(words []string) error {
	own := len(words) > 1 && (words[1] == c.Backend || c.maps && c.lookup(words[1]))
	if !own {
		return refuse("use_backend of another backend than %s", c.Backend)
	}
	return c.scoped(words, words[2:])
}

// lookup reports whether a word looks the service's host or app ID up in a map.
func (c *confinement) lookup(word string) bool {
	inside, ok := strings.CutPrefix(word, "%[")
	fetch, ending, mapped := strings.Cut(inside, ",map")
	return ok && mapped && c.requestFetch(fetch) && strings.HasSuffix(ending, ")]") && strings.Count(ending, ")") == 1
}

// sharedAction refuses actions after which the rules of other services would see
// another request than the client's, or would not be reached.
func (c *confinement) sharedAction(words []string) error {
	action, argument, _ := strings.Cut(words[1], "(")
	switch action {
	case "auth", "deny", "return", "tarpit", "redirect", "reject", "silent-drop", "set-log-level", "early-hint":
		return nil
	case "set-var", "set-var-fmt", "unset-var":
		if scope, name, _ := strings.Cut(argument, "."); scope != "txn" && scope != "req" || strings.HasPrefix(name, "mlb") {
			return refuse("variable %q among the rules of other services", strings.TrimSuffix(argument, ")"))
		}
		return nil
	case "add-header", "set-header", "del-header", "replace-header", "replace-value":
		if decidesRoute(words[2]) || slices.Contains(words, "-m") {
			return refuse("%s %s among the rules of other services", action, words[2])
		}
		return nil
	}
	return refuse("action %q among the rules of other services", action)
}

// decidesRoute reports whether rules of other services look at a header.
func decidesRoute(header string) bool {
	switch strings.ToLower(header) {
	case "host", "x-marathon-app-id", "authorization", "proxy-authorization":
		return true
	}
	return false
}

// sharedCondition lets a service define ACLs under names of its own, and under the
// names by which its own requests are known only what these are.
func (c *confinement) sharedCondition(words []string) error {
	if len(words) < 3 {
		return refuse("acl without a criterion")
	}
	name := words[1]
	switch {
	case name == "host_"+c.HostCondition && c.spot == inHosts || name == "app_"+c.AppCondition && c.spot == inApps:
		if !c.conditions[name] {
			return refuse("acl %s of other requests than the service's own", name)
		}
	case !c.ownName(name):
		return refuse("acl %q (wanted: a name such as NAME_%s)", name, c.Backend)
	}
	return nil
}

// ownName reports whether the name of an ACL can be no other service's: auth_ and
// what stands for its hosts, WORD_BACKEND or BACKEND_WORD. The name of a backend
// ends with a number, which keeps the last two apart.
func (c *confinement) ownName(name string) bool {
	if name == "auth_"+c.HostCondition || name == "host_"+c.HostCondition || name == "app_"+c.AppCondition {
		return true
	}
	word, rest, _ := strings.Cut(name, "_")
	if word == "host" || word == "auth" || word == "app" {
		return false // another service's condition may be called so (render's keepApart)
	}
	if rest == c.Backend && word != "" {
		return true
	}
	i := strings.LastIndexByte(name, '_')
	return i > 0 && name[:i] == c.Backend && i+1 < len(name) && !isNumber(name[i+1:])
}

// scoped checks that a rule is for the service's own requests whichever way its
// condition comes true.
func (c *confinement) scoped(words, condition []string) error {
	if len(condition) > 1 && condition[0] == "if" && c.everyBranch(condition[1:]) {
		return nil
	}
	what, own := strings.Join(words[:min(2, len(words))], " "), "host_"+c.HostCondition
	if c.spot == inApps {
		own = "app_" + c.AppCondition
	}
	return refuse("%s without a condition of the service's own requests (wanted: if %s)", what, own)
}

// everyBranch reports whether each alternative of a condition demands, not negated,
// that the request is the service's.
func (c *confinement) everyBranch(terms []string) bool {
	own, negated := false, false
	for i := 0; i < len(terms); i++ {
		// HAProxy takes the exclamation marks off before it looks for "or".
		term := strings.TrimLeft(terms[i], "!")
		if isOr(term) {
			if !own {
				return false
			}
			own, negated = false, false
			continue
		}
		negated = negated != ((len(terms[i])-len(term))%2 == 1)
		if term == "" {
			continue
		}
		holds := c.names(term)
		if term == "{" {
			length := slices.Index(terms[i:], "}")
			if length < 1 {
				return false
			}
			holds = c.scoping(terms[i+1 : i+length])
			i += length
		}
		own = own || holds && !negated
		negated = false
	}
	return own
}

// isOr reports whether a word of a condition, its exclamation marks taken off, begins
// another alternative.
func isOr(word string) bool { return strings.EqualFold(word, "or") || word == "||" }

// names reports whether a named ACL holds for the service's own requests only.
func (c *confinement) names(name string) bool {
	scoping, defined := c.conditions[name]
	if defined {
		return scoping && c.ownName(name)
	}
	return c.spot == inHosts && name == "host_"+c.HostCondition || c.spot == inApps && name == "app_"+c.AppCondition
}

// scoping reports whether a criterion with its patterns holds for the service's own
// requests only: it compares host or app ID as a whole.
func (c *confinement) scoping(criterion []string) bool {
	if len(criterion) < 2 || !c.requestFetch(criterion[0]) {
		return false
	}
	patterns := criterion[1:]
	for len(patterns) > 0 && strings.HasPrefix(patterns[0], "-") {
		switch {
		case patterns[0] == "-i" || patterns[0] == "--":
			patterns = patterns[1:]
		case patterns[0] == "-m" && len(patterns) > 1 && patterns[1] == "str":
			patterns = patterns[2:]
		default:
			return false
		}
	}
	foreign := func(p string) bool { return !c.ownPattern(p) }
	return len(patterns) > 0 && !slices.ContainsFunc(patterns, foreign)
}

func (c *confinement) ownPattern(pattern string) bool {
	if c.spot == inApps {
		return strings.EqualFold(pattern, c.App)
	}
	host, port, _ := strings.Cut(strings.ToLower(pattern), ":")
	return slices.Contains(c.Hosts, host) && (port == "" || isNumber(port))
}

// requestFetch reports whether a sample is what the frontend routes by: the whole
// host of a request, or its app ID on port 9091.
func (c *confinement) requestFetch(sample string) bool {
	for trimmed := true; trimmed; {
		trimmed = false
		for _, converter := range []string{",lower", ",host_only", ",field(1,:)", ",word(1,:)"} {
			if s, ok := strings.CutSuffix(sample, converter); ok {
				sample, trimmed = s, true
			}
		}
	}
	header, ok := strings.CutSuffix(strings.ToLower(sample), ")")
	fetch, header, _ := strings.Cut(header, "(")
	if !ok {
		return c.spot == inHosts && (sample == "ssl_fc_sni" || sample == "req.ssl_sni" || sample == "req_ssl_sni")
	}
	switch fetch {
	case "hdr", "req.hdr", "req.fhdr", "fhdr":
	default:
		return false
	}
	if c.spot == inApps {
		return header == "x-marathon-app-id"
	}
	return header == "host"
}
