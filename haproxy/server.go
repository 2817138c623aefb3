package haproxy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Server is one server line of a section.
type Server struct {
	// Name is the server's name.
	Name string
	// Address is the second argument as written: address and port.
	Address string
	// Keywords is the effective line: what default-server lines and the line
	// itself say, one element for each keyword, sorted by name.
	Keywords []Keyword
	// Line is the text of the line as written.
	Line string
	// Position is the number of the section's Lines that stand before this one.
	// Zero means all of them.
	Position int
}

// position returns how many of n lines stand before the server.
func (s Server) position(n int) int {
	if s.Position == 0 {
		return n
	}
	return min(s.Position, n)
}

// Keyword is one server option with its arguments.
type Keyword struct {
	// Name is the keyword, such as check or inter.
	Name string
	// Args are its arguments, quoted and joined by blanks. Empty for a flag.
	Args string
	// Unknown says that the keyword is not in our table, so where its arguments
	// end is not known: Name is the whole rest of the line.
	Unknown bool
}

// parseServer reads a server line. A line with too few words yields a server
// with an empty name or address, which no plan ever touches.
func parseServer(line string, words []string) Server {
	s := Server{Line: line}
	if len(words) > 1 {
		s.Name = words[1]
	}
	if len(words) > 2 {
		s.Address = words[2]
		s.Keywords = parseKeywords(words[3:])
		sortKeywords(s.Keywords)
	}
	return s
}

func sortKeywords(keywords []Keyword) {
	slices.SortStableFunc(keywords, func(a, b Keyword) int { return cmp.Compare(a.Name, b.Name) })
}

func (s *Server) effective(base []Keyword) {
	if len(base) == 0 {
		return
	}
	s.Keywords = mergeKeywords(base, s.Keywords)
	sortKeywords(s.Keywords)
}

// Keyword returns a keyword's arguments and whether the server has it.
func (s Server) Keyword(name string) (string, bool) {
	for _, k := range s.Keywords {
		if k.Name == name {
			return k.Args, true
		}
	}
	return "", false
}

// Ready reports whether the line starts the server in rotation.
func (s Server) Ready() bool {
	_, disabled := s.Keyword("disabled")
	return !disabled
}

// Same reports whether two servers are the same target treated the same way. The
// id is left out: it depends on the neighbours and takes effect with the next
// reload only.
func (s Server) Same(o Server) bool {
	if s.Name != o.Name || s.Address != o.Address {
		return false
	}
	for a, b := s.Keywords, o.Keywords; ; a, b = a[1:], b[1:] {
		a, b = pastID(a), pastID(b)
		if len(a) == 0 || len(b) == 0 {
			return len(a) == len(b)
		}
		if a[0] != b[0] {
			return false
		}
	}
}

// pastID returns the keywords from the first on that is not an id. There is at
// most one id.
func pastID(keywords []Keyword) []Keyword {
	if len(keywords) > 0 && keywords[0].Name == "id" {
		return keywords[1:]
	}
	return keywords
}

// SameTarget reports whether two servers differ at most in their id and in whether
// they are in rotation.
func (s Server) SameTarget(o Server) bool {
	return s.Name == o.Name && s.Address == o.Address &&
		slices.Equal(s.without("id", "disabled", "enabled"), o.without("id", "disabled", "enabled"))
}

// WithoutID returns a copy whose line has no id, so that HAProxy chooses one.
func (s Server) WithoutID() Server { return s.cut("id") }

// without returns the keywords but the named ones.
func (s Server) without(names ...string) []Keyword {
	return slices.DeleteFunc(slices.Clone(s.Keywords), func(k Keyword) bool { return slices.Contains(names, k.Name) })
}

// with returns a copy whose keyword is set to args (added if absent).
func (s Server) with(name, args string) Server {
	s.Keywords = mergeKeywords(s.Keywords, []Keyword{{Name: name, Args: args}})
	sortKeywords(s.Keywords)
	return s.Effective()
}

// Disabled returns a copy that is out of rotation.
func (s Server) Disabled() Server { return s.with("disabled", "") }

// WithWeight returns a copy with a weight, or the server itself if its line means that
// one already: without the keyword it is 1.
func (s Server) WithWeight(n int) Server {
	weight, has := s.Keyword("weight")
	if is, err := strconv.Atoi(weight); has && err == nil && is == n || !has && n == 1 {
		return s
	}
	return s.with("weight", strconv.Itoa(n))
}

// cut returns a copy without the keyword.
func (s Server) cut(name string) Server {
	s.Keywords = s.without(name)
	return s.Effective()
}

// Effective returns a copy whose Line is made anew from the effective keywords, so that
// it says the same in any section.
func (s Server) Effective() Server {
	var b strings.Builder
	b.WriteString("  server ")
	b.WriteString(joinWords([]string{s.Name, s.Address}))
	for _, k := range s.Keywords {
		b.WriteByte(' ')
		b.WriteString(k.String())
	}
	s.Line = b.String()
	return s
}

// String returns the keyword with its arguments as it stands in a line.
func (k Keyword) String() string {
	if k.Args == "" {
		return k.Name
	}
	return k.Name + " " + k.Args
}

// parseKeywords reads server options. From the first word on that the table does
// not know, the rest becomes one unknown keyword.
func parseKeywords(words []string) []Keyword {
	out := make([]Keyword, 0, len(words))
	for i := 0; i < len(words); {
		spec, ok := option(words[i])
		if !ok {
			return slices.Clone(append(out, Keyword{Name: joinWords(words[i:]), Unknown: true}))
		}
		end := min(i+1+spec.args, len(words))
		k := Keyword{Name: words[i]}
		if end > i+1 {
			k.Args = joinWords(words[i+1 : end])
		}
		out = layKeyword(out, k)
		i = end
	}
	return slices.Clone(out)
}

// mergeKeywords lays keywords over others: the later setting of a keyword wins,
// and a keyword cancels its opposite (HAProxy's manual, section 5.2).
func mergeKeywords(base, over []Keyword) []Keyword {
	out := make([]Keyword, len(base), len(base)+len(over))
	copy(out, base)
	for _, k := range over {
		out = layKeyword(out, k)
	}
	return out
}

// layKeyword is mergeKeywords for one keyword over keywords that may be changed.
func layKeyword(out []Keyword, k Keyword) []Keyword {
	return append(slices.DeleteFunc(out, func(b Keyword) bool { return b.Name == k.Name || isOpposite(b.Name, k.Name) }), k)
}

// isOpposite reports whether one keyword undoes the other.
func isOpposite(a, b string) bool {
	if a == "disabled" && b == "enabled" || a == "enabled" && b == "disabled" {
		return true
	}
	no, is := strings.CutPrefix(a, "no-")
	undone, undoes := strings.CutPrefix(b, "no-")
	return is && no == b || undoes && undone == a
}
