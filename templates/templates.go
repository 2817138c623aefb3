// Package templates holds the texts that a configuration is made of, one file
// for each template of the contract's section 5, under the name that users know
// (HAPROXY_BACKEND_HEAD), and the one expander for them and for their overrides.
//
// Formatted templates hold {placeholders}; a literal brace is written twice. Raw
// templates are pasted as they are, so HAProxy's own braces stay single; the
// default text of a raw template may name values of the instance (an address, a
// socket), which are filled in where they stand, other braces untouched.
//
// The package decides nothing: which template is used where, with which values,
// is haproxy/render's. All functions are safe for concurrent use.
package templates

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

//go:embed HAPROXY_*
var files embed.FS

// prefix stands in front of a template's name in file names, variables and
// labels.
const prefix = "HAPROXY_"

// Template is one text. The zero value is an empty raw template.
type Template struct {
	// Name is the name without HAPROXY_, such as BACKEND_HEAD.
	Name string
	// Text is the text, {placeholders} included.
	Text string
	// Raw says that the text is pasted as it is.
	Raw bool
	// Own says that the text is mlb's default rather than an override.
	Own bool
}

// ErrUnknown is returned for a name that is no template.
var ErrUnknown = errors.New("no such template")

// Names returns the names of all templates, sorted, without HAPROXY_.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil { // the files are part of the binary
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimPrefix(e.Name(), prefix))
	}
	slices.Sort(names)
	return names
}

// Default returns mlb's own text for a template. It fails with ErrUnknown.
func Default(name string) (Template, error) {
	b, err := files.ReadFile(prefix + name)
	if err != nil {
		return Template{}, fmt.Errorf("%s%s: %w", prefix, name, ErrUnknown)
	}
	entry, _ := Lookup(name)
	return Template{Name: name, Text: string(b), Raw: entry.Format == Raw, Own: true}, nil
}

// Replaced returns the template with an override in place of its text. A missing
// final line break is added, except for the options that stand inside a server
// line (D35).
func (t Template) Replaced(text string) Template {
	t.Text, t.Own = text, false
	inline := t.Name == "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS" || t.Name == "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS"
	if text != "" && !inline && !strings.HasSuffix(text, "\n") {
		t.Text += "\n"
	}
	return t
}

// Values are the placeholders of one use with their texts.
type Values map[string]string

// ErrPlaceholder is returned for an unknown placeholder, an empty {} or a lone
// brace (D34).
var ErrPlaceholder = errors.New("bad placeholder")

// Expand fills the placeholders in, each with its text in the first of the values that
// have one. Values are not expanded again. It fails with ErrPlaceholder, naming template
// and placeholder; only formatted templates can fail.
func (t Template) Expand(values ...Values) (string, error) {
	switch {
	case !t.Raw:
		return t.format(values)
	case t.Own:
		return t.fill(values), nil
	}
	return t.Text, nil
}

// text returns the text of a placeholder and whether it has one.
func text(values []Values, name string) (string, bool) {
	for _, v := range values {
		if text, ok := v[name]; ok {
			return text, true
		}
	}
	return "", false
}

// fill replaces the known names of a raw default and leaves all else alone.
func (t Template) fill(values []Values) string {
	var b strings.Builder
	rest := t.Text
	for {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		b.WriteString(rest[:i])
		rest = rest[i:]
		name, after, closed := strings.Cut(rest[1:], "}")
		if text, known := text(values, name); known && closed {
			b.WriteString(text)
			rest = after
			continue
		}
		b.WriteByte('{')
		rest = rest[1:]
	}
}

func (t Template) format(values []Values) (string, error) {
	var b strings.Builder
	rest := t.Text
	for {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			b.WriteString(rest)
			return b.String(), nil
		}
		b.WriteString(rest[:i])
		brace := rest[i]
		rest = rest[i+1:]
		switch {
		case rest != "" && rest[0] == brace:
			b.WriteByte(brace)
			rest = rest[1:]
			continue
		case brace == '}':
			return "", t.bad("a lone }")
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return "", t.bad("a lone {")
		}
		text, known := text(values, name)
		if !known {
			return "", t.bad("{" + name + "}")
		}
		b.WriteString(text)
		rest = after
	}
}

func (t Template) bad(what string) error {
	return fmt.Errorf("template %s%s: %s: %w", prefix, t.Name, what, ErrPlaceholder)
}
