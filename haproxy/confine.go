package haproxy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrConfined is returned for an override that leaves the place it stands for.
var ErrConfined = errors.New("not allowed in this template")

// Place says where a label's text is put and what there is the service's own. The
// zero value owns nothing.
type Place struct {
	// Backend is the name of the service's backend, and of its frontend.
	Backend string
	// Bind is the claimed "address:port" of the frontend; empty if it has none.
	Bind string
	// BindOptions are the words that other labels of the service put on its bind
	// line, which were checked as those labels' values.
	BindOptions string
	// App is the app ID, Hosts are the virtual hosts, lower-cased.
	App   string
	Hosts []string
	// HostCondition and AppCondition are what the contract calls cleanedUpHostname
	// and cleanedUpAppId: the names behind host_, auth_ and app_ of the ACLs that
	// belong to the service.
	HostCondition, AppCondition string
	// Tasks are the addresses of the service's tasks.
	Tasks []netip.Addr
	// MapDir is the folder of the map files of contract 5.5.
	MapDir string
}

// spot is a kind of place: what may be said there.
type spot int

const (
	inBackend  spot = iota // the service's backend
	inFrontend             // the frontend of its service port
	inHosts                // the frontends of all services on ports 80 and 443
	inApps                 // the frontend of all services on port 9091
	inUsers                // its user list
)

// confinement is the check of one text.
type confinement struct {
	Place
	spot spot
	// head is the section line that the text has to begin with; nil for none.
	head []string
	// maps says that the maps of contract 5.5 may be looked up.
	maps bool
	// conditions are the ACLs that the text defines; each says whether it holds for
	// nothing but requests to the service.
	conditions map[string]bool
	// bound says that there was a bind line.
	bound bool
}

// Confine checks the expanded text that a label puts in place of a template (its
// name without HAPROXY_, D36). What a team writes may do as it likes in the sections
// of its own service, and in shared ones only with requests that are the service's
// by host or app ID; nowhere does it open a section or socket, read files, the
// environment or other services' data, or run code. It fails with the first line
// that does: ErrConfined, ErrRemoved for a directive that HAProxy has lost, or
// ErrQuote, with the line's number and the rule.
//
// Several templates of a service that stand in one frontend are to be checked
// together too: an ACL is all its definitions.
func Confine(template, text string, p Place) error {
	switch template {
	case "BACKEND_SERVER_OPTIONS":
		return serverLines(text, p)
	case "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS":
		return serverOptions(text, p)
	}
	c := confinement{Place: p, conditions: map[string]bool{}}
	switch {
	case template == "USERLIST_HEAD":
		c.spot, c.head = inUsers, []string{"userlist", "user_" + p.Backend}
	case template == "FRONTEND_HEAD":
		c.spot, c.head = inFrontend, []string{"frontend", p.Backend}
	case template == "FRONTEND_BACKEND_GLUE":
		c.spot = inFrontend
	case template == "BACKEND_HEAD":
		c.spot, c.head = inBackend, []string{"backend", p.Backend}
	case strings.HasSuffix(template, "FRONTEND_APPID_ACL"):
		c.spot = inApps
	case strings.Contains(template, "_FRONTEND_") || strings.HasPrefix(template, "BACKEND_REDIRECT_"):
		c.spot = inHosts
	}
	c.maps = strings.HasPrefix(template, "MAP_")
	return c.check(text)
}

// check checks all lines, after the ACLs have been collected.
func (c *confinement) check(text string) error {
	lines, err := confinedLines(text)
	if err != nil {
		return err
	}
	for _, l := range lines {
		c.collect(l.words)
	}
	if c.head != nil {
		if lines, err = c.headed(lines, strings.TrimSpace(text) == ""); err != nil {
			return err
		}
	}
	for _, l := range lines {
		if err := c.line(l.words); err != nil {
			return fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	return nil
}

// headed takes the section line off. A frontend and a user list may be left out as a
// whole; what follows the head of a backend would continue another section.
func (c *confinement) headed(lines []confinedLine, empty bool) ([]confinedLine, error) {
	wanted := strings.Join(c.head, " ")
	switch {
	case empty && c.spot != inBackend:
		return nil, nil
	case len(lines) == 0:
		return nil, refuse("the text has to begin with %q", wanted)
	case strings.Join(lines[0].words, " ") != wanted:
		return nil, fmt.Errorf("line %d: %w", lines[0].number, refuse("the text has to begin with %q", wanted))
	}
	return lines[1:], nil
}

// refuse returns an ErrConfined that says which rule a line broke.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrConfined)
}

// confinedLine is a line that is neither empty nor a comment.
type confinedLine struct {
	number int
	words  []string
}

// confinedLines cuts a text into the words of its lines. What HAProxy might read in
// another way than Words is refused: control characters and empty words, at which
// some of its directives end; and so is the environment.
func confinedLines(text string) ([]confinedLine, error) {
	var lines []confinedLine
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		words, err := Words(line)
		switch {
		case err != nil:
		case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			err = refuse("control character")
		case readsEnvironment(line):
			err = refuse("environment variable in double quotes")
		default:
			err = confinedWords(words)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if len(words) > 0 {
			lines = append(lines, confinedLine{i + 1, words})
		}
	}
	return lines, nil
}

// confinedWords refuses words that are nowhere allowed.
func confinedWords(words []string) error {
	for _, w := range words {
		switch {
		case w == "":
			return refuse("empty word")
		case w == "-f" || w == "-M":
			return refuse("patterns from a file (%s)", w)
		case strings.ContainsRune(w, 0):
			return refuse("NUL character")
		}
	}
	return nil
}

// readsEnvironment reports whether HAProxy would put a variable of its environment
// into the line: a dollar sign between double quotes that no backslash protects
// (HAProxy's manual, section 2.3).
func readsEnvironment(line string) bool {
	var quote byte
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote == 0 && c == '#':
			return false
		case c == '\\' && quote != '\'':
			i++
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		case c == '$' && quote == '"':
			return true
		}
	}
	return false
}
