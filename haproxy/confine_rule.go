package haproxy

import "strings"

// grammar is what follows an action: a number of arguments, then options with a
// number of arguments each. It is known exactly, so that no argument that reads "if"
// passes for a condition.
type grammar struct {
	args    int
	options map[string]int
}

// optionsEnd returns the index of the condition, after the arguments that start at an
// index. It fails with ErrConfined for a line that the grammar does not describe.
func optionsEnd(words []string, at int, g grammar) (int, error) {
	at += g.args
	for at < len(words) && words[at] != "if" && words[at] != "unless" {
		args, ok := g.options[words[at]]
		if !ok {
			return 0, refuse("option %q", words[at])
		}
		at += 1 + args
	}
	if at > len(words) {
		return 0, refuse("an argument is missing")
	}
	return at, nil
}

// ruleGrammar returns the name of a rule's action, its grammar and the index of what
// follows it; 0 for an action that is not allowed (HAProxy's manual, section 4.2).
func ruleGrammar(words []string) (name string, g grammar, at int) {
	if words[0] == "redirect" {
		return "redirect", redirectGrammar(), 1
	}
	if len(words) < 2 {
		return words[0], grammar{}, 0
	}
	name, at = words[1], 2
	if strings.HasPrefix(words[0], "tcp-") && name != "inspect-delay" {
		if len(words) < 3 || !isTCPStage(words[0], name) {
			return name, grammar{}, 0
		}
		name, at = words[2], 3
	}
	g, ok := actionGrammar(words[0], name)
	if !ok {
		at = 0
	}
	return name, g, at
}

func isTCPStage(directive, stage string) bool {
	return stage == "content" || directive == "tcp-request" && (stage == "connection" || stage == "session")
}

func actionGrammar(directive, action string) (grammar, bool) {
	base, _, _ := strings.Cut(action, "(")
	var g grammar
	var ok bool
	switch directive {
	case "http-request":
		if g, ok = requestGrammar(base); !ok {
			g, ok = headerGrammar(base)
		}
	case "http-response":
		if g, ok = responseGrammar(base); !ok {
			g, ok = headerGrammar(base)
		}
	case "http-after-response":
		switch base {
		case "allow":
			return grammar{}, true
		case "set-status":
			return grammar{args: 1, options: map[string]int{"reason": 1}}, true
		}
		return headerGrammar(base)
	case "tcp-request", "tcp-response":
		g, ok = connectionGrammar(base)
	}
	if !ok {
		g, ok = counterGrammar(base)
	}
	return g, ok
}

// headerGrammar is that of actions on headers and variables.
func headerGrammar(action string) (grammar, bool) {
	switch action {
	case "add-header", "set-header":
		return grammar{args: 2}, true
	case "replace-header", "replace-value":
		return grammar{args: 3}, true
	case "del-header":
		return grammar{args: 1, options: map[string]int{"-m": 1}}, true
	case "set-var", "set-var-fmt":
		return grammar{args: 1}, true
	case "unset-var":
		return grammar{}, true
	}
	return grammar{}, false
}

func requestGrammar(action string) (grammar, bool) {
	switch action {
	case "allow", "disable-l7-retry", "reject", "wait-for-handshake":
		return grammar{}, true
	case "auth":
		return grammar{options: map[string]int{"realm": 1}}, true
	case "deny", "return", "tarpit":
		return grammar{options: replyOptions()}, true
	case "redirect":
		return redirectGrammar(), true
	case "early-hint", "replace-path", "replace-pathq", "replace-uri", "set-timeout":
		return grammar{args: 2}, true
	case "set-log-level", "set-method", "set-path", "set-pathq", "set-query", "set-src", "set-src-port", "set-uri", "strict-mode":
		return grammar{args: 1}, true
	case "normalize-uri":
		return grammar{args: 1, options: map[string]int{"full": 0, "strict": 0}}, true
	case "capture":
		return grammar{args: 1, options: map[string]int{"id": 1, "len": 1}}, true
	case "silent-drop":
		return grammar{options: map[string]int{"rst-ttl": 1}}, true
	case "wait-for-body":
		return grammar{options: map[string]int{"at-least": 1, "time": 1}}, true
	}
	return grammar{}, false
}

func responseGrammar(action string) (grammar, bool) {
	switch action {
	case "allow":
		return grammar{}, true
	case "deny", "return":
		return grammar{options: replyOptions()}, true
	case "redirect":
		return redirectGrammar(), true
	case "capture":
		return grammar{args: 1, options: map[string]int{"id": 1}}, true
	case "set-log-level", "strict-mode":
		return grammar{args: 1}, true
	case "set-status":
		return grammar{args: 1, options: map[string]int{"reason": 1}}, true
	case "wait-for-body":
		return grammar{options: map[string]int{"at-least": 1, "time": 1}}, true
	}
	return grammar{}, false
}

func connectionGrammar(action string) (grammar, bool) {
	switch action {
	case "accept", "close", "reject", "silent-drop", "unset-var":
		return grammar{}, true
	case "inspect-delay", "expect-proxy", "set-var", "set-var-fmt":
		return grammar{args: 1}, true
	case "capture":
		return grammar{args: 1, options: map[string]int{"len": 1}}, true
	}
	return grammar{}, false
}

// counterGrammar is that of actions on the counters of a stick table.
func counterGrammar(action string) (grammar, bool) {
	switch action {
	case "track-sc0", "track-sc1", "track-sc2":
		return grammar{args: 1, options: map[string]int{"table": 1}}, true
	case "sc-inc-gpc", "sc-inc-gpc0", "sc-inc-gpc1":
		return grammar{}, true
	case "sc-add-gpc", "sc-set-gpt", "sc-set-gpt0":
		return grammar{args: 1}, true
	}
	return grammar{}, false
}

// replyOptions are those of an answer that HAProxy gives by itself, files left out.
func replyOptions() map[string]int {
	return map[string]int{
		"content-type": 1, "default-errorfiles": 0, "deny_status": 1, "hdr": 2, "lf-string": 1, "status": 1, "string": 1,
	}
}

func redirectGrammar() grammar {
	return grammar{options: map[string]int{
		"append-slash": 0, "clear-cookie": 1, "code": 1, "drop-query": 0, "ignore-empty": 0, "keep-query": 0,
		"location": 1, "prefix": 1, "scheme": 1, "set-cookie": 1,
	}}
}
