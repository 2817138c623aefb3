package haproxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MapStep brings a map of the running HAProxy, and its file, to another text. Entries
// change one after the other, what is added first; each look-up sees an old or a new
// one. The file alone is enough where nothing reads it at run time.
type MapStep struct {
	// File is the name of the file, Text what it holds afterwards.
	File, Text string
	// Entries are the changes, in the order in which they must be made.
	Entries []EntryStep
}

// EntryStep is one runtime update of a map's entry.
type EntryStep struct {
	// Kind is what is done.
	Kind EntryKind
	// Key and Value are the entry as it is afterwards; Value is empty for one that
	// is deleted.
	Key, Value string
}

// EntryKind says what a step does to its entry.
type EntryKind string

// The kinds of entry steps, in the order in which a plan does them.
const (
	// AddEntry adds an entry. HAProxy adds a second one if the key is there already,
	// so this is only for keys that are not.
	AddEntry EntryKind = "add"
	// SetEntry gives a key another value.
	SetEntry EntryKind = "set"
	// DeleteEntry deletes an entry.
	DeleteEntry EntryKind = "del"
)

// Commands returns the Runtime API commands of the step for the map of a path (HAProxy's
// management guide, "add map", "set map", "del map"). Done twice they have the effect of
// once: an entry that may be there already goes before it is added.
func (s EntryStep) Commands(path string) []string {
	target := " map " + path + " " + s.Key
	switch s.Kind {
	case AddEntry:
		return []string{"del" + target, "add" + target + " " + s.Value}
	case SetEntry:
		return []string{"set" + target + " " + s.Value}
	case DeleteEntry:
		return []string{"del" + target}
	}
	return nil
}

// mapStep returns the step that brings a file from one text to another, or why there
// is none and the file has to be loaded.
func (d *differ) mapStep(name, from, to string) (step MapStep, why string) {
	step = MapStep{File: name, Text: to}
	reading, plain := readers(d.running, name)
	after, _ := readers(d.desired, name)
	switch {
	case !slices.EqualFunc(reading, after, (*Section).sameLines):
		return step, "is read in another way"
	case !plain:
		return step, "is read by more than plain look-ups"
	case len(reading) == 0:
		return step, ""
	}
	old, ok := ParseMap(from)
	wanted, alsoOK := ParseMap(to)
	if !ok || !alsoOK {
		return step, "is no map of plain entries"
	}
	var sets, deletes []EntryStep
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		value := wanted[key]
		was, there := old[key]
		switch {
		case there && value == was:
			continue
		case !d.running.hasBackend(value):
			return step, fmt.Sprintf("leads from %s to %s, which does not run yet", key, value)
		case there:
			sets = append(sets, EntryStep{SetEntry, key, value})
		default:
			step.Entries = append(step.Entries, EntryStep{AddEntry, key, value})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		if _, stays := wanted[key]; !stays {
			deletes = append(deletes, EntryStep{Kind: DeleteEntry, Key: key})
		}
	}
	step.Entries = slices.Concat(step.Entries, sets, deletes)
	return step, ""
}

// ParseMap reads the text of a map of which each line is a key and a value. It reports
// false for any other text, and for one in which a key stands twice, since updates
// mean one of the two entries in some versions of HAProxy and both in others.
func ParseMap(text string) (entries map[string]string, ok bool) {
	entries = make(map[string]string, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 2 || strings.HasPrefix(line, "#") {
			return nil, false
		}
		if _, twice := entries[words[0]]; twice {
			return nil, false
		}
		entries[words[0]] = words[1]
	}
	return entries, true
}

// readers returns the sections that read a file, and whether all of them look keys up
// exactly or by the longest prefix, where the order of entries does not matter.
func readers(c Config, name string) (reading []*Section, plain bool) {
	plain = true
	for _, s := range c.Sections.All() {
		reads := false
		for _, line := range s.Skeleton {
			before, after, found := strings.Cut(line, "/"+name)
			for ; found; before, after, found = strings.Cut(after, "/"+name) {
				reads = true
				call := before[:strings.LastIndexByte(before, '(')+1]
				plain = plain && after != "" && strings.ContainsAny(after[:1], "),") &&
					(strings.HasSuffix(call, ",map(") || strings.HasSuffix(call, ",map_str(") || strings.HasSuffix(call, ",map_beg("))
			}
		}
		if reads {
			reading = append(reading, s)
		}
	}
	return reading, plain
}

// LooksUp reports whether the configuration does look-ups in the file, and nothing else,
// such that its entries may change at run time.
func (c Config) LooksUp(name string) bool {
	reading, plain := readers(c, name)
	return plain && len(reading) > 0
}

func (s *Section) sameLines(o *Section) bool {
	return s.sameName(o) && slices.Equal(s.Skeleton, o.Skeleton)
}

func (c Config) hasBackend(name string) bool {
	_, ok := c.place(name)
	return ok
}
