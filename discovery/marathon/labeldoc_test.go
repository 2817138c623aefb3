package marathon_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
	"mlb/templates"
)

func TestLabelsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(filepath.Join("..", "..", "test", "contract", "testdata", "contract.json"))
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Labels []struct{ Key string }
	}
	if err := json.Unmarshal(document, &contract); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, l := range contract.Labels {
		want = append(want, l.Key)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, marathon.LabelNames()); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

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
