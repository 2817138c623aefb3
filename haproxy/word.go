package haproxy

import (
	"errors"
	"fmt"
	"strings"
)

// Quote returns s as one word of a configuration line. A string of harmless
// characters is returned as it is; anything else is put in single quotes, inside
// which HAProxy reads nothing special (its manual, section 2.2). It is the one
// encoder for values that reach the file. A line break or NUL cannot be written
// in a configuration line at all: ErrUnwritable.
//
// Quoting does not protect against the syntax of the directive itself, such as
// "%" in a log-format argument.
func Quote(s string) (string, error) {
	if strings.ContainsAny(s, "\n\x00") {
		return "", fmt.Errorf("%q: %w", s, ErrUnwritable)
	}
	if s != "" && strings.IndexFunc(s, isSpecial) < 0 {
		return s, nil
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'", nil
}

// ErrUnwritable is returned for a value that no quoting can bring into a
// configuration line.
var ErrUnwritable = errors.New("a line break or NUL byte cannot be part of a configuration line")

// ErrQuote is returned for a line whose quotes are not closed.
var ErrQuote = errors.New("unmatched quote")

func isSpecial(r rune) bool {
	return r < 0x21 || r == 0x7f || strings.ContainsRune(`"'\#$`, r)
}

// Words splits a configuration line into its words as HAProxy does: blanks
// separate, "#" outside quotes starts a comment, both kinds of quotes as in section
// 2.2 of its manual. A backslash that starts none of the escapes described there
// stands for itself, as in a regular expression. Environment variables are not
// expanded: a word holding one is returned with its "$". An empty or comment line
// has no words.
func Words(line string) ([]string, error) {
	if strings.IndexFunc(line, isWrapped) < 0 { // most lines: words are parts of them
		return strings.FieldsFunc(line, isBlank[rune]), nil
	}
	var words []string
	var word strings.Builder
	inWord := false
	flush := func() {
		if inWord {
			words = append(words, word.String())
			word.Reset()
			inWord = false
		}
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case isBlank(c):
			flush()
		case c == '#':
			flush()
			return words, nil
		case c == '\'' || c == '"':
			end, err := quoted(line, i, &word)
			if err != nil {
				return nil, err
			}
			inWord = true
			i = end
		case c == '\\':
			i = escaped(line, i, &word)
			inWord = true
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	flush()
	return words, nil
}

// isWrapped reports whether a rune can make more of a line than words between blanks.
func isWrapped(r rune) bool { return r == '#' || r == '\\' || r == '\'' || r == '"' }

func isBlank[T byte | rune](c T) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// quoted reads the quoted part that starts at i and returns the index of its
// closing quote.
func quoted(line string, i int, word *strings.Builder) (int, error) {
	quote := line[i]
	for i++; i < len(line); i++ {
		switch {
		case line[i] == quote:
			return i, nil
		case quote == '"' && strings.HasPrefix(line[i:], `\$`):
			word.WriteByte('$') // outside of quotes, "$" needs no escape and has none
			i++
		case quote == '"' && line[i] == '\\':
			i = escaped(line, i, word)
		default:
			word.WriteByte(line[i])
		}
	}
	return i, ErrQuote
}

// escaped reads the escape that starts at the backslash at i and returns the
// index of its last byte, which is i if it is none.
func escaped(line string, i int, word *strings.Builder) int {
	c := byte(0)
	if i+1 < len(line) {
		c = line[i+1]
	}
	switch c {
	case 'n':
		word.WriteByte('\n')
	case 'r':
		word.WriteByte('\r')
	case 't':
		word.WriteByte('\t')
	case ' ', '#', '\\', '"', '\'':
		word.WriteByte(c)
	case 'x':
		if i+3 < len(line) {
			if v, ok := hexByte(line[i+2 : i+4]); ok {
				word.WriteByte(v)
				return i + 3
			}
		}
		word.WriteString(`\x`) // HAProxy refuses the line
	default:
		word.WriteByte('\\')
		return i
	}
	return i + 1
}

func hexByte(s string) (byte, bool) {
	var v byte
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | (c - '0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | (c - 'a' + 10)
		default:
			return 0, false
		}
	}
	return v, true
}
