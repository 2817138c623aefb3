package haproxy

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Config is a configuration text cut into its sections. Values are never changed, and
// share sections: After and With return new ones. The zero value is the empty text.
type Config struct {
	// Sections are in file order.
	Sections Sections
	// Files are the files beside the text that it reads, by name. Parse gives
	// none; see WithFiles.
	Files []File

	// index is what is known about all sections; nil stands for no sections.
	index *sectionIndex
}

// Section is one section of a configuration.
type Section struct {
	// Kind is the section's keyword: global, defaults, frontend, backend, …
	// Empty for lines before the first section.
	Kind string
	// Name is the section's name, empty for global and unnamed defaults.
	Name string
	// Lead are the comments and blank lines right before the section, as written.
	Lead []string
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

	// named are the servers that directives of the section name, with the directive.
	named map[string]string
}

// Key identifies a section among others: its kind and name.
func (s *Section) Key() string { return s.Kind + " " + s.Name }

// holdsServers reports whether server lines in the section mean servers.
func (s *Section) holdsServers() bool { return s.Kind == "backend" || s.Kind == "listen" }

// size is the number of lines of the section.
func (s *Section) size() int { return len(s.Lead) + len(s.Lines) + len(s.Servers) }

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

// Parse cuts a configuration text into sections. A line whose quotes are not closed is
// kept as one word; what is wrong with a text is for HAProxy to say.
func Parse(text string) Config {
	f := NewFragment(text)
	return newConfig(f.resolve(nil))
}

// cut cuts a text into sections, to which defaults do not apply yet.
func cut(text string) []*Section {
	var sections []*Section
	var current *Section
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		words, err := Words(line)
		if err != nil {
			words = []string{strings.TrimSpace(line)}
		}
		opens := err == nil && len(words) > 0 && IsSection(words[0])
		if opens || current == nil {
			next := &Section{}
			if opens {
				next.Kind = words[0]
				if len(words) > 1 {
					next.Name = words[1]
				}
				if current != nil {
					next.Lead = current.giveLead()
				}
			}
			if current != nil && current.size() == 0 { // it was nothing but the lead
				sections = sections[:len(sections)-1]
			}
			sections, current = append(sections, next), next
		}
		current.add(line, words)
	}
	for _, s := range sections { // they stay, and so does the room that they do not need
		s.Lead, s.Lines, s.Skeleton = slices.Clone(s.Lead), slices.Clone(s.Lines), slices.Clone(s.Skeleton)
	}
	return sections
}

// giveLead takes the comments and blank lines off the end of a section.
func (s *Section) giveLead() []string {
	n := len(s.Lines)
	for n > 0 && isComment(s.Lines[n-1]) && (len(s.Servers) == 0 || s.Servers[len(s.Servers)-1].Position < n) {
		n--
	}
	lead := slices.Clone(s.Lines[n:])
	s.Lines = s.Lines[:n]
	return lead
}

func isComment(line string) bool {
	text := strings.TrimLeft(line, " \t\v\f\r")
	return text == "" || text[0] == '#'
}

func (s *Section) add(line string, words []string) {
	if len(words) > 0 && words[0] == "server" && s.holdsServers() {
		server := parseServer(line, words)
		server.Position = len(s.Lines)
		s.Servers = append(s.Servers, server)
		return
	}
	s.Lines = append(s.Lines, line)
	if len(words) > 0 {
		s.Skeleton = append(s.Skeleton, skeleton(line, words))
	}
}

// skeleton is joinWords for the words of a line, a part of the line where that says the same.
func skeleton(line string, words []string) string {
	text := joinWords(words)
	if i := strings.Index(line, text); i >= 0 {
		return line[i : i+len(text)]
	}
	return text
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

// surroundings are the defaults sections before a section, as their skeleton lines. Nil
// stands for none.
type surroundings struct {
	last  []string
	named map[string][]string
}

// with returns the surroundings behind a defaults section.
func (r *surroundings) with(s *Section) *surroundings {
	out := &surroundings{last: slices.Concat(s.Defaults, s.Skeleton[1:]), named: map[string][]string{}}
	if r != nil {
		maps.Copy(out.named, r.named)
	}
	out.named[s.Name] = out.last
	return out
}

// resolved returns the section completed with the defaults that apply to it, and each of
// its servers with what default-server lines add to it.
func (s *Section) resolved(r *surroundings) *Section {
	out := *s
	if r == nil {
		r = &surroundings{}
	}
	switch s.Kind {
	case "defaults":
		out.Defaults, _ = s.from(r.named)
	case "frontend", "backend", "listen":
		var ok bool
		if out.Defaults, ok = s.from(r.named); !ok {
			out.Defaults = r.last
		}
		out.Servers = slices.Clone(s.Servers)
		out.resolveServers()
	}
	out.named = out.namedServers()
	return &out
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
	b.Grow(c.Size())
	for _, s := range c.Sections.All() {
		s.write(&b)
	}
	return b.String()
}

// Size is the number of bytes of Text.
func (c Config) Size() int {
	size := 0
	for _, s := range c.Sections.All() {
		size += s.bytes()
	}
	return size
}

// WriteTo writes what Text returns, without having it in memory. The error is the
// writer's.
func (c Config) WriteTo(w io.Writer) (int64, error) {
	size := c.Size()
	b := bufio.NewWriterSize(w, min(size, 1<<16))
	for _, s := range c.Sections.All() {
		s.write(b)
	}
	return int64(size), b.Flush() // which keeps the first error
}

// lineWriter takes lines in; an error is found out about later.
type lineWriter interface {
	io.ByteWriter
	io.StringWriter
}

// bytes is the length of what write writes.
func (s *Section) bytes() int {
	n := s.size()
	for _, lines := range [][]string{s.Lead, s.Lines} {
		for _, l := range lines {
			n += len(l)
		}
	}
	for i := range s.Servers {
		n += len(s.Servers[i].Line)
	}
	return n
}

// write writes the lines of the section, each server where it belongs.
func (s *Section) write(b lineWriter) {
	for _, line := range s.Lead {
		_, _ = b.WriteString(line)
		_ = b.WriteByte('\n')
	}
	written := 0
	upTo := func(n int) {
		for ; written < min(n, len(s.Lines)); written++ {
			_, _ = b.WriteString(s.Lines[written])
			_ = b.WriteByte('\n')
		}
	}
	for _, srv := range s.Servers {
		upTo(srv.position(len(s.Lines)))
		_, _ = b.WriteString(srv.Line)
		_ = b.WriteByte('\n')
	}
	upTo(len(s.Lines))
}

// Section returns the section of a kind and name.
func (c Config) Section(kind, name string) (*Section, bool) {
	for _, s := range c.Sections.All() {
		if s.Kind == kind && s.Name == name {
			return s, true
		}
	}
	return nil, false
}

// Backend returns the section of a name that holds servers, a backend or listen one.
func (c Config) Backend(name string) (*Section, bool) {
	at, ok := c.place(name)
	if !ok {
		return nil, false
	}
	return c.Sections.At(at), true
}

// Empty reports whether there is no section.
func (c Config) Empty() bool { return c.Sections.Len() == 0 }

// Equal reports whether two configurations are the same texts.
func (c Config) Equal(o Config) bool {
	return slices.Equal(c.Files, o.Files) && c.Sections.equal(o.Sections, (*Section).sameText)
}

func (s *Section) sameText(o *Section) bool {
	return slices.Equal(s.Lead, o.Lead) && slices.Equal(s.Lines, o.Lines) &&
		slices.EqualFunc(s.Servers, o.Servers, func(a, b Server) bool {
			return a.Line == b.Line && a.position(len(s.Lines)) == b.position(len(s.Lines))
		})
}

// Binds returns the address arguments of all bind lines, in file order.
func (c Config) Binds() []string {
	var out []string
	for _, s := range c.Sections.All() {
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

// SectionAt returns the section that holds the given line of the text, counted from 1.
func (c Config) SectionAt(line int) (*Section, bool) {
	for _, s := range c.Sections.All() {
		if line >= 1 && line <= s.size() {
			return s, true
		}
		line -= s.size()
	}
	return nil, false
}
