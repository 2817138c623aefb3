package marathon_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
	"mlb/templates"
)

func TestEveryLabelWithAValueIsDescribed(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, key := range marathon.LabelNames() {
		template, isPort := strings.CutPrefix(key, "HAPROXY_{n}_")
		// The label of this name holds a path (K11).
		if isPort && template != "HTTP_BACKEND_REDIR" && slices.Contains(templates.Names(), template) {
			continue
		}
		want = append(want, key)
	}
	for _, d := range marathon.LabelDocs() {
		got = append(got, d.Key)
		if d.Grammar == "" || d.Default == "" || !strings.HasSuffix(d.Effect, ".") {
			t.Errorf("%s is not fully described", d.Key)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}
