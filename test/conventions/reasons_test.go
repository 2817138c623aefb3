package conventions_test

import (
	"strings"
	"testing"
)

// TestEveryReasonOfAReloadIsDescribed looks for the codes of reasons in the document
// that tells users about them.
func TestEveryReasonOfAReloadIsDescribed(t *testing.T) {
	t.Parallel()
	text := readText(t, "docs/reloads.md")
	found := 0
	for _, name := range projectFiles(t) {
		if !strings.HasPrefix(name, "haproxy/") || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, code := range captures(readText(t, name), `(?m)^\s*(?:const )?[Rr]eason[A-Z]\w* += "([a-z_]+)"`) {
			found++
			if !strings.Contains(text, "`"+code+"`") {
				t.Errorf("%s: docs/reloads.md does not say what reloads HAProxy for the reason %s", name, code)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d codes of reasons found", found)
	}
}
