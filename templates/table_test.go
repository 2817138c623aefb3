package templates_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mlb/templates"
)

// contracted is a template as the contract's list has it.
type contracted struct {
	Name         string   `json:"name"`
	Env          string   `json:"env"`
	Label        string   `json:"label"`
	Scope        string   `json:"scope"`
	Format       string   `json:"format"`
	Placeholders []string `json:"placeholders"`
	Partial      []string `json:"partial_placeholders"`
	Used         bool     `json:"used"`
}

func TestTheTableIsTheContract(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "test", "contract", "testdata", "contract.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Templates []contracted `json:"templates"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	got := make([]contracted, 0, len(want.Templates))
	for _, e := range templates.Table() {
		got = append(got, contracted{
			Name: e.Name, Env: e.Variable(), Label: e.Label(), Scope: string(e.Scope), Format: string(e.Format),
			Placeholders: e.Placeholders, Partial: e.Partial, Used: !e.Unused,
		})
	}
	if diff := cmp.Diff(want.Templates, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("templates (-contract +table):\n%s", diff)
	}
}

func TestTheTableAndTheFilesHoldTheSameTemplates(t *testing.T) {
	t.Parallel()
	names := make([]string, 0, len(templates.Table()))
	for _, e := range templates.Table() {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, templates.Names()); diff != "" {
		t.Errorf("names (-table +files):\n%s", diff)
	}
	if _, ok := templates.Lookup("NO_SUCH"); ok {
		t.Error("an entry for a name that is no template")
	}
}

// What a default text needs is what the table says.
func TestDefaultsUseTheirPlaceholders(t *testing.T) {
	t.Parallel()
	braces := regexp.MustCompile(`\{(\w+)\}`)
	for _, e := range templates.Table() {
		d, err := templates.Default(e.Name)
		if err != nil {
			t.Fatal(err)
		}
		text := d.Text
		if e.Format == templates.Formatted {
			text = strings.NewReplacer("{{", "", "}}", "").Replace(text)
		}
		var own []string
		for _, m := range braces.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(e.Placeholders, m[1]) && !slices.Contains(e.Partial, m[1]) {
				own = append(own, m[1])
			}
		}
		slices.Sort(own)
		if diff := cmp.Diff(e.Own, slices.Compact(own)); diff != "" {
			t.Errorf("%s: placeholders of mlb's own (-table +text):\n%s", e.Name, diff)
		}
	}
}
