package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite documents that are made from the program")

func TestConfigurationDocumentIsInStep(t *testing.T) {
	t.Parallel()
	inStep(t, "configuration.md", configurationManual())
}

// inStep compares a document with what the program says, or rewrites it.
func inStep(t *testing.T, name, want string) {
	t.Helper()
	file := filepath.Join("..", "..", "docs", name)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/%s differs from the table; run this test with -update (-want +got):\n%s", name, diff)
	}
}

func TestLabelsDocumentIsInStep(t *testing.T) {
	t.Parallel()
	inStep(t, "labels.md", labelManual())
}

func TestTemplatesDocumentIsInStep(t *testing.T) {
	t.Parallel()
	inStep(t, "templates.md", templateManual())
}

func TestHelpNamesEveryOption(t *testing.T) {
	t.Parallel()
	for _, container := range []bool{false, true} {
		var b strings.Builder
		if err := writeHelp(&b, container); err != nil {
			t.Fatal(err)
		}
		help := b.String()
		for _, o := range options() {
			if !strings.Contains(help, "--"+o.name) || !strings.Contains(help, o.variable()) {
				t.Errorf("--%s or its variable is missing", o.name)
			}
		}
		if strings.Contains(help, "/marathon-lb/haproxy.cfg") != container {
			t.Errorf("container form %v: wrong defaults", container)
		}
		if strings.Contains(help, "`") {
			t.Error("help holds Markdown")
		}
	}
}

func TestManualTakesChapters(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := writeManual(&b, "## `HAPROXY_HEAD`\n", "## `HAPROXY_{n}_VHOST`\n"); err != nil {
		t.Fatal(err)
	}
	want := configurationManual() + "\n## `HAPROXY_HEAD`\n\n## `HAPROXY_{n}_VHOST`\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
