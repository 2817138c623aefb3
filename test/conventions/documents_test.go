package conventions_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadmeStartsWithTwoCommands keeps the quick start what it is.
func TestReadmeStartsWithTwoCommands(t *testing.T) {
	t.Parallel()
	text := readText(t, "README.md")
	for _, command := range []string{"make demo", "make test"} {
		if !strings.Contains(text, command) {
			t.Errorf("README.md does not name %q", command)
		}
	}
	if lines := strings.Count(text, "\n"); lines > 150 {
		t.Errorf("README.md has %d lines, want at most 150", lines)
	}
}

// TestMakeHelpExplainsEachTarget wants a help line for every target that is
// meant to be called, which are the phony ones.
func TestMakeHelpExplainsEachTarget(t *testing.T) {
	t.Parallel()
	text := readText(t, "Makefile")
	explained := captures(text, `(?m)^([a-z-]+):.*## \S`)
	for _, target := range captures(text, `(?m)^\.PHONY: (.*)$`) {
		for name := range strings.FieldsSeq(target) {
			if !slices.Contains(explained, name) {
				t.Errorf("Makefile: target %s has no ## line", name)
			}
		}
	}
	for _, name := range []string{"help", "demo", "test", "build", "race", "lint", "fmt", "image", "image-test"} {
		if !slices.Contains(explained, name) {
			t.Errorf("Makefile: no target %s", name)
		}
	}
	phony := strings.Fields(strings.Join(captures(text, `(?m)^\.PHONY: (.*)$`), " "))
	for _, name := range explained {
		if !slices.Contains(phony, name) {
			t.Errorf("Makefile: target %s is not phony; a file of that name would hide it", name)
		}
	}
}

// TestMakeTargetsInDocumentsExist follows every "make x" of a document.
func TestMakeTargetsInDocumentsExist(t *testing.T) {
	t.Parallel()
	targets := captures(readText(t, "Makefile"), `(?m)^([a-z-]+):`)
	for _, name := range projectFiles(t) {
		if !strings.HasSuffix(name, ".md") || inTestdata(name) {
			continue
		}
		for _, target := range captures(readText(t, name), "`make ([a-z-]+)") {
			if !slices.Contains(targets, target) {
				t.Errorf("%s: names make %s, which does not exist", name, target)
			}
		}
	}
}

// TestDecisionsAreComplete wants context, decision and consequences of each.
func TestDecisionsAreComplete(t *testing.T) {
	t.Parallel()
	for _, name := range projectFiles(t) {
		if path.Dir(name) != "docs/decisions" || !strings.HasSuffix(name, ".md") || path.Base(name) == "README.md" {
			continue
		}
		text := readText(t, name)
		for _, heading := range []string{"Context", "Decision", "Consequences"} {
			if !regexp.MustCompile(`(?m)^## ` + heading + `$`).MatchString(text) {
				t.Errorf("%s has no section %q", name, "## "+heading)
			}
		}
	}
}

// TestNoticeNamesEachLibrary compares NOTICE with go.mod; "make notice" repairs.
func TestNoticeNamesEachLibrary(t *testing.T) {
	t.Parallel()
	want := captures(readText(t, "go.mod"), `(?m)^(?:require )?\t?([a-z0-9.]+\.[a-z]+/\S+) v\S+$`)
	got := captures(readText(t, "NOTICE"), `(?m)^  (\S+)\s+\S+$`)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("NOTICE names %v, go.mod requires %v; run make notice", got, want)
	}
}

// TestChangelogTagsAreKnown keeps the tags of the changelog to the agreed ones.
func TestChangelogTagsAreKnown(t *testing.T) {
	t.Parallel()
	known := []string{"CHANGE", "FEATURE", "ENHANCEMENT", "PERF", "BUGFIX", "SECURITY"}
	for line := range strings.Lines(readText(t, "CHANGELOG.md")) {
		if !strings.HasPrefix(line, "* ") {
			continue
		}
		tags := captures(line, `^\* \[([A-Z]+)\] \S`)
		if len(tags) != 1 || !slices.Contains(known, tags[0]) {
			t.Errorf("CHANGELOG.md: %q does not begin with one of %v", line, known)
		}
	}
}

// TestNoFileNamesOneMachine refuses absolute paths that exist where a file was
// written and nowhere else.
func TestNoFileNamesOneMachine(t *testing.T) {
	t.Parallel()
	// The pattern is put together so that this file does not match itself.
	local := regexp.MustCompile(`(^|[^\w.~-])/(` + strings.Join([]string{`work`, `home/\w+`, `Users/\w+`}, `|`) + `)/|\.\./` + `shared\b`)
	for _, name := range projectFiles(t) {
		for i, line := range strings.Split(readText(t, name), "\n") {
			if local.MatchString(line) {
				t.Errorf("%s:%d: names a place on one machine: %.80q", name, i+1, line)
			}
		}
	}
}

// TestLinksBetweenDocumentsLead follows the relative links of all documents.
func TestLinksBetweenDocumentsLead(t *testing.T) {
	t.Parallel()
	files := projectFiles(t)
	exists := func(name string) bool {
		return slices.ContainsFunc(files, func(f string) bool { return f == name || strings.HasPrefix(f, name+"/") })
	}
	for _, name := range files {
		if !strings.HasSuffix(name, ".md") || inTestdata(name) {
			continue
		}
		for _, link := range captures(readText(t, name), `\]\(([^)#:\s]+)(?:#[^)]*)?\)`) {
			if target := path.Join(path.Dir(name), link); !exists(strings.TrimSuffix(target, "/")) {
				t.Errorf("%s: link to %s leads nowhere", name, link)
			}
		}
	}
}

// captures returns the first group of every match of pattern in text.
func captures(text, pattern string) []string {
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}
