package haproxy

import (
	"errors"
	"fmt"
	"strings"
)

// ErrDaemon is returned for a HEAD that sends HAProxy to the background, where
// nobody can supervise it.
var ErrDaemon = errors.New("the directive daemon takes HAProxy away from its supervisor; remove the line")

// ErrRemoved is returned for a directive that HAProxy no longer has.
var ErrRemoved = errors.New("gone from HAProxy")

// CheckHead checks a text that replaces HEAD: no daemon directive (D38; the word
// may stand anywhere else), and what CheckTemplate asks for. It reports all lines in
// one error, each with its number: ErrDaemon, ErrRemoved or ErrQuote.
func CheckHead(text string, v Version) error {
	return checkLines(text, func(words []string) error {
		if words[0] == "daemon" {
			return ErrDaemon
		}
		return checkRemoved(words, v)
	})
}

// CheckTemplate checks a text that replaces another template for all services: no
// directive that HAProxy of branch v has lost (D28). The zero version stands for the
// oldest branch that mlb works with. It reports all lines in one error, each with
// its number and the successor of its directive: ErrRemoved or ErrQuote.
func CheckTemplate(text string, v Version) error {
	return checkLines(text, func(words []string) error { return checkRemoved(words, v) })
}

func checkLines(text string, check func(words []string) error) error {
	var errs []error
	for i, line := range strings.Split(text, "\n") {
		words, err := Words(line)
		if err == nil && len(words) > 0 {
			err = check(words)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

// checkRemoved fails for a line whose directive is gone from HAProxy v.
func checkRemoved(words []string, v Version) error {
	for _, n := range directiveNames(words) {
		gone, ok := removedDirective(n)
		if !ok || gone.since.AtLeast(2, 7) && !v.AtLeast(gone.since.Major, gone.since.Minor) {
			continue
		}
		return fmt.Errorf("%s: %w since %s: %s", n, ErrRemoved, gone.since, gone.advice)
	}
	return nil
}

// directiveNames are the names under which a line's directive may be known as gone:
// its first word, its first two, and an argument of a bind line.
func directiveNames(words []string) []string {
	names := []string{words[0]}
	if len(words) > 1 {
		names = append(names, words[0]+" "+words[1])
	}
	if words[0] == "bind" || len(words) > 1 && words[0] == "stats" && words[1] == "socket" {
		for i, w := range words {
			if w == "process" && i > 1 {
				names = append(names, "bind process")
			}
		}
	}
	return names
}

// removal says since which branch a directive is an error, and what to write now.
type removal struct {
	since  Version
	advice string
}

// removedDirective knows the directives of HAProxy 1.5 to 2.6 that later branches
// refuse (measured with 2.6, 3.0 and 3.2; successors as in HAProxy's manual).
func removedDirective(name string) (removal, bool) {
	since, advice := removedRequestRule(name)
	if advice != "" {
		return removal{since, advice}, true
	}
	switch name {
	case "block":
		since, advice = Version{2, 1}, "use http-request deny"
	case "appsession":
		since, advice = Version{1, 6}, "use cookie or stick on"
	case "redispatch":
		since, advice = Version{2, 1}, "use option redispatch"
	case "contimeout":
		since, advice = Version{2, 1}, "use timeout connect"
	case "clitimeout":
		since, advice = Version{2, 1}, "use timeout client"
	case "srvtimeout":
		since, advice = Version{2, 1}, "use timeout server"
	case "monitor-net":
		since, advice = Version{2, 2}, "use http-request return status 200 if { src ADDRESS }"
	case "mode health":
		since, advice = Version{2, 2}, "use http-request return status 200"
	case "grace":
		since, advice = Version{2, 5}, "remove the line, or use the global hard-stop-after"
	case "option forceclose":
		since, advice = Version{2, 0}, "use option httpclose"
	case "option http-tunnel":
		since, advice = Version{2, 1}, "remove the line"
	case "option http_proxy":
		since, advice = Version{2, 5}, "use http-request set-dst"
	case "option http-use-htx":
		since, advice = Version{2, 3}, "remove the line"
	case "option independant-streams": //nolint:misspell // so it was called.
		since, advice = Version{2, 3}, "use option independent-streams"
	case "nbproc":
		since, advice = Version{2, 5}, "remove the line: threads are used by themselves, see nbthread"
	case "tune.chksize":
		since, advice = Version{2, 6}, "use tune.bufsize"
	case "debug":
		since, advice = Version{2, 3}, "remove the line"
	case "bind-process", "stats bind-process":
		since, advice = Version{2, 7}, "remove the line, or use thread on bind lines"
	case "bind process":
		since, advice = Version{2, 7}, "remove the option process, or use thread"
	default:
		return removal{}, false
	}
	return removal{since, advice}, true
}

// removedRequestRule knows the rules that edited requests and answers line by line.
func removedRequestRule(name string) (Version, string) {
	since := Version{2, 1}
	switch name {
	case "reqadd":
		return since, "use http-request add-header"
	case "reqallow", "reqiallow":
		return since, "use http-request allow"
	case "reqdel", "reqidel":
		return since, "use http-request del-header"
	case "reqdeny", "reqideny":
		return since, "use http-request deny"
	case "reqpass", "reqipass":
		return since, "remove the line"
	case "reqrep", "reqirep", "cliexp":
		return since, "use http-request replace-path, replace-uri or replace-header"
	case "reqtarpit", "reqitarpit":
		return since, "use http-request tarpit"
	case "reqsetbe", "reqisetbe":
		return since, "use use_backend"
	case "rspadd":
		return since, "use http-response add-header"
	case "rspdel", "rspidel":
		return since, "use http-response del-header"
	case "rspdeny", "rspideny":
		return since, "use http-response deny"
	case "rsprep", "rspirep", "srvexp":
		return since, "use http-response replace-header"
	}
	return Version{}, ""
}
