package main

import (
	"fmt"
	"slices"
	"strings"
)

// canonical is a command line in its plainest form.
type canonical struct {
	// flags are words of the form --name=value, or --name for a switch (and for
	// an option whose value is missing). What the table does not know is passed
	// on as it is, for pflag to name it.
	flags []string
	// mistakes are those that only the original spelling shows.
	mistakes []string
}

// normaliser translates a command line in the grammar of contract 1.2, which is
// that of Python's argparse, into one that pflag understands. It decides about
// words only; types and values are pflag's business.
type normaliser struct {
	opts []option
	rest []string
	out  canonical
	// afterSecret says that the last option took a secret, so that a stray word
	// may be a part of it that lost its quotes.
	afterSecret bool
}

// normalise translates args for the given options. The result, normalised
// again, is itself.
func normalise(opts []option, args []string) canonical {
	n := &normaliser{opts: opts, rest: args}
	for len(n.rest) > 0 {
		word := n.next()
		switch {
		case word == "--":
			for len(n.rest) > 0 {
				n.stray(n.next())
			}
		case !n.isFlag(word):
			n.stray(word)
		case strings.HasPrefix(word, "--"):
			n.long(word)
		default:
			n.short(word)
		}
	}
	return n.out
}

// next takes the first of the remaining words.
func (n *normaliser) next() string {
	word := n.rest[0]
	n.rest = n.rest[1:]
	return word
}

// stray reports a word that belongs to no option.
func (n *normaliser) stray(word string) {
	if n.afterSecret {
		n.mistake("unexpected word after a secret; does it need quotes?")
		return
	}
	n.mistake("unexpected word %q", word)
}

// mistake notes what is wrong.
func (n *normaliser) mistake(format string, args ...any) {
	n.out.mistakes = append(n.out.mistakes, fmt.Sprintf(format, args...))
}

// long translates --name, --name=value and their unambiguous prefixes.
func (n *normaliser) long(word string) {
	name, attached, hasAttached := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	matches := n.matching(name)
	switch len(matches) {
	case 0:
		n.afterSecret = false
		if name == "" { // "--=x"; alone, "--" would mean the end of the flags
			n.mistake("unknown flag: --")
			return
		}
		n.out.flags = append(n.out.flags, "--"+name)
	case 1:
		n.option(matches[0], attached, hasAttached)
	default:
		names := make([]string, len(matches))
		for i, o := range matches {
			names[i] = "--" + o.name
		}
		n.mistake("--%s is ambiguous: %s", name, strings.Join(names, ", "))
		n.skipValue()
	}
}

// skipValue drops the word that would be the value of a flag that could not be
// resolved, so that one mistake is not reported as two.
func (n *normaliser) skipValue() {
	if len(n.rest) > 0 && n.rest[0] != "--" && !n.isFlag(n.rest[0]) {
		n.next()
	}
}

// short translates -c V, -cV, -c=V and switches that are run together.
func (n *normaliser) short(word string) {
	letters := strings.TrimPrefix(word, "-")
	for letters != "" {
		letter := letters[:1]
		letters = letters[1:]
		o, known := n.shortOption(letter)
		switch {
		case !known:
			// The rest may be anything, a secret too: it is not repeated.
			n.mistake("unknown flag: -%s", strings.ToValidUTF8(letter, "?"))
			return
		case o.arity == takesNone:
			if strings.HasPrefix(letters, "=") {
				n.mistake("--%s takes no value", o.name)
				return
			}
			n.option(o, "", false)
		default:
			attached := strings.TrimPrefix(letters, "=")
			n.option(o, attached, letters != "")
			return
		}
	}
}

// option translates one known option with the value attached to it, if any.
func (n *normaliser) option(o option, attached string, hasAttached bool) {
	n.afterSecret = o.hidden
	name := "--" + o.name
	switch {
	case o.arity == takesNone && hasAttached:
		n.mistake("%s takes no value", name)
	case o.arity == takesNone:
		n.out.flags = append(n.out.flags, name)
	case hasAttached:
		n.out.flags = append(n.out.flags, name+"="+attached)
	case !n.hasValue():
		n.out.flags = append(n.out.flags, name)
	case o.arity == takesMany:
		for n.hasValue() {
			n.out.flags = append(n.out.flags, name+"="+n.next())
		}
	case o.arity == takesOne, o.arity == takesEach:
		n.out.flags = append(n.out.flags, name+"="+n.next())
	}
}

// hasValue says whether the next word can be a value.
func (n *normaliser) hasValue() bool {
	return len(n.rest) > 0 && n.rest[0] != "--" && !n.isFlag(n.rest[0])
}

// isFlag says whether word is a flag and not a value: it starts with a dash, and
// it is either known or cannot be anything else. A number is a value, and so is
// a text with a blank in it that names no flag.
func (n *normaliser) isFlag(word string) bool {
	if len(word) < 2 || word[0] != '-' {
		return false
	}
	if name, isLong := strings.CutPrefix(word, "--"); isLong {
		name, _, _ = strings.Cut(name, "=")
		if len(n.matching(name)) > 0 {
			return true
		}
	} else if _, known := n.shortOption(word[1:2]); known {
		return true
	}
	return !negativeNumber(word) && !strings.Contains(word, " ")
}

// negativeNumber says whether word is one, with or without a fraction.
func negativeNumber(word string) bool {
	whole, fraction, hasFraction := strings.Cut(strings.TrimPrefix(word, "-"), ".")
	digits := fraction
	if !hasFraction {
		digits = whole
	}
	return digits != "" && strings.Trim(whole+fraction, "0123456789") == ""
}

// shortOption returns the option with the given letter.
func (n *normaliser) shortOption(letter string) (option, bool) {
	i := slices.IndexFunc(n.opts, func(o option) bool { return o.short != "" && o.short == letter })
	if i < 0 {
		return option{}, false
	}
	return n.opts[i], true
}

// matching returns the options that name can mean: the one of exactly that
// name, else those that begin with it. An option of marathon-lb's wins over
// mlb's own, so that no prefix that used to work became ambiguous.
func (n *normaliser) matching(name string) []option {
	if name == "" {
		return nil
	}
	var theirs, own []option
	for _, o := range n.opts {
		switch {
		case o.name == name:
			return []option{o}
		case !strings.HasPrefix(o.name, name):
		case o.own:
			own = append(own, o)
		default:
			theirs = append(theirs, o)
		}
	}
	if len(theirs) > 0 {
		return theirs
	}
	return own
}
