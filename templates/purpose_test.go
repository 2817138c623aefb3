package templates_test

import (
	"strings"
	"testing"

	"mlb/templates"
)

func TestEveryTemplateHasAPurpose(t *testing.T) {
	t.Parallel()
	for _, name := range templates.Names() {
		if !strings.HasSuffix(templates.Purpose(name), ".") {
			t.Errorf("%s: purpose %q is no sentence", name, templates.Purpose(name))
		}
	}
	if got := templates.Purpose("NO_SUCH_TEMPLATE"); got != "" {
		t.Errorf("what is no template is for %q", got)
	}
}
