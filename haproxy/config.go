package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

// Config is a configuration text cut into its sections. Values made by Parse are
// never changed; After returns a new one. The zero value is the empty text.
type Config struct {
	// Sections are in file order.
	Sections []Section
	// Files are the files beside the text that it reads, by name. Parse gives
	// none; see WithFiles.
	Files []File
}

// Section is one section of a configuration.
type Section struct {
	// Kind is the section's keyword: global, defaults, frontend, backend, …
	// Empty for lines before the first section.
	Kind string
	// Name is the section's name, empty for global and unnamed defaults.
	Name string
	// Line is the number of the section's first line in the text, from 1.
	Line int
	// Lines are the text lines of the section as written, its head included,
	// server lines left out.
	Lines []string
	// Skeleton are the words of Lines, one element a line, each word quoted in
	// one way, comments and blank lines dropped. Two sections with equal
	// skeletons differ at most in their servers.
	Skeleton []string
	// Defaults are the skeleton lines of the defaults sections that apply to a
	// section, without their heads; what comes later counts. Nil if none does.
	Defaults []string
	// Servers are the server lines in file order.
	Servers []Server
}

// Key identifies a section among others: its kind and name.
func (s Section) Key() string { return s.Kind + " " + s.Name }

// IsSection reports whether a line whose first word is word opens a section,
// wherever in the line the word stands (HAProxy's manual, section 2; its later
// versions have more of them).
func IsSection(word string) bool {
	switch word {
	case "global", "defaults", "listen", "frontend", "backend", "userlist", "peers", "resolvers", "mailers",
		"program", "http-errors", "ring", "cache", "fcgi-app", "log-forward", "crt-store", "traces",
		"log-profile", "acme":
		return true
	}
	return false
}

// Parse cuts a configuration text into sections. It fails only for a line whose
// quotes are not closed (ErrQuote with the line number); everything else is for
// HAProxy to judge.
func Parse(text string) (Config, error) {
	var c Config
	current := -1
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		words, err := Words(line)
		if err != nil {
			return Config{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		opens := len(words) > 0 && IsSection(words[0])
		if opens || current < 0 {
			s := Section{Line: i + 1}
			if opens {
				s.Kind = words[0]
				if len(words) > 1 {
					s.Name = words[1]
				}
			}
			c.Sections = append(c.Sections, s)
			current++
		}
		c.Sections[current].add(line, words)
	}
	c.resolve()
	return c, nil
}

func (s *Section) add(line string, words []string) {
	if len(words) > 0 && words[0] == "server" && (s.Kind == "backend" || s.Kind == "listen") {
		server := parseServer(line, words)
		server.Position = len(s.Lines)
		s.Servers = append(s.Servers, server)
		return
	}
	s.Lines = append(s.Lines, line)
	if len(words) > 0 {
		s.Skeleton = append(s.Skeleton, joinWords(words))
	}
}

// joinWords writes words with one blank between them, each quoted as Quote does.
func joinWords(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		q, err := Quote(w)
		if err != nil { // an escaped line break: keep it apart from a plain word
			q = fmt.Sprintf("%q", w)
		}
		out[i] = q
	}
	return strings.Join(out, " ")
}

// resolve completes each section with the defaults that apply to it and each
// server with what default-server lines add to it.
func (c *Config) resolve() {
	var last []string
	named := map[string][]string{}
	for i := range c.Sections {
		s := &c.Sections[i]
		switch s.Kind {
		case "defaults":
			s.Defaults, _ = s.from(named)
			last = slices.Concat(s.Defaults, s.Skeleton[1:])
			named[s.Name] = last
		case "frontend", "backend", "listen":
			var ok bool
			if s.Defaults, ok = s.from(named); !ok {
				s.Defaults = last
			}
			s.resolveServers()
		}
	}
}

// from returns the lines of the defaults section that the head of the section
// names, and whether it names one (HAProxy's manual, section 4).
func (s *Section) from(named map[string][]string) ([]string, bool) {
	words := strings.Split(s.Skeleton[0], " ")
	if i := slices.Index(words, "from"); i > 0 && i+1 < len(words) {
		return named[words[i+1]], true
	}
	return nil, false
}

// resolveServers lays each server over the default-server lines before it.
func (s *Section) resolveServers() {
	if len(s.Servers) == 0 {
		return
	}
	base := defaultServer(nil, s.Defaults)
	read := 0
	for i := range s.Servers {
		srv := &s.Servers[i]
		base = defaultServer(base, s.Lines[read:srv.Position])
		read = srv.Position
		srv.effective(base)
	}
}

// defaultServer returns the keywords that the default-server ones among the lines
// lay over the inherited ones.
func defaultServer(inherited []Keyword, lines []string) []Keyword {
	for _, line := range lines {
		if !strings.Contains(line, "default-server") {
			continue
		}
		if words, err := Words(line); err == nil && len(words) > 0 && words[0] == "default-server" {
			inherited = mergeKeywords(inherited, parseKeywords(words[1:]))
		}
	}
	return inherited
}

// Text writes the configuration out again. For a parsed text it is the original,
// with a line break at its end.
func (c Config) Text() string {
	var b strings.Builder
	for _, s := range c.Sections {
		s.write(&b)
	}
	return b.String()
}

// write writes the lines of the section, each server where it belongs.
func (s Section) write(b *strings.Builder) {
	written := 0
	upTo := func(n int) {
		for ; written < min(n, len(s.Lines)); written++ {
			b.WriteString(s.Lines[written])
			b.WriteByte('\n')
		}
	}
	for _, srv := range s.Servers {
		upTo(srv.position(len(s.Lines)))
		b.WriteString(srv.Line)
		b.WriteByte('\n')
	}
	upTo(len(s.Lines))
}

// Section returns the section of a kind and name.
func (c Config) Section(kind, name string) (Section, bool) {
	i := slices.IndexFunc(c.Sections, func(s Section) bool { return s.Kind == kind && s.Name == name })
	if i < 0 {
		return Section{}, false
	}
	return c.Sections[i], true
}

// Binds returns the address arguments of all bind lines, in file order.
func (c Config) Binds() []string {
	var out []string
	for _, s := range c.Sections {
		if s.Kind != "frontend" && s.Kind != "listen" {
			continue
		}
		for _, line := range s.Skeleton {
			if words, err := Words(line); err == nil && len(words) > 1 && words[0] == "bind" {
				out = append(out, strings.Split(words[1], ",")...)
			}
		}
	}
	return out
}

// SectionAt returns the section that holds the given line of the parsed text,
// counted from 1.
func (c Config) SectionAt(line int) (Section, bool) {
	for _, s := range slices.Backward(c.Sections) {
		if s.Line <= line {
			return s, true
		}
	}
	return Section{}, false
}
