package contract_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/contract.md")

// coverage tells for each entry which behaviours, and for each id which tests
// anywhere in the module, show it.
func coverage(t *testing.T) map[string][]string {
	t.Helper()
	known := readList(t).entries()
	shown := map[string][]string{}
	names := map[string]bool{}
	for _, st := range stages() {
		for _, b := range st.behaviours {
			if names[b.name] {
				t.Errorf("two behaviours are called %q", b.name)
			}
			names[b.name] = true
			for _, entry := range b.covers {
				if !slices.Contains(known, entry) {
					t.Errorf("%s: shows %q, which is no entry of the contract", b.name, entry)
				}
				shown[entry] = append(shown[entry], b.name)
			}
		}
	}
	for _, name := range testFunctions(t) {
		if id := regexp.MustCompile(`^Test([DK]\d+)[A-Z_]`).FindStringSubmatch(name); id != nil {
			shown[id[1]] = append(shown[id[1]], "`"+name+"`")
		}
	}
	return shown
}

// testFunctions returns the names of all test functions of the module, sorted.
func testFunctions(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(filepath.Join("..", ".."), func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "testdata"}, entry.Name()):
			return filepath.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if f, ok := functionName(d); ok {
				names = append(names, f)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryEntryOfTheContractHasABehaviourTest(t *testing.T) {
	t.Parallel()
	shown := coverage(t)
	var open []string
	known := readList(t).entries()
	for _, entry := range known {
		if len(shown[entry]) == 0 {
			open = append(open, entry)
		}
	}
	t.Logf("%s\n%d of %d entries are shown", table(known, shown), len(known)-len(open), len(known))
	if len(open) > 0 {
		t.Errorf("nothing shows:\n%s", strings.Join(open, "\n"))
	}
}

func TestTableOfTheContractIsInStep(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "contract.md")
	want := table(readList(t).entries(), coverage(t))
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
		t.Errorf("docs/contract.md is not what the tests show; run make contract-table (-want +got):\n%s", diff)
	}
}

// table is docs/contract.md.
func table(entries []string, shown map[string][]string) string {
	var b strings.Builder
	b.WriteString("# What mlb is held to\n\n" +
		"Every flag, variable, label, template, placeholder and endpoint of marathon-lb, every deliberate divergence (D) and every kept quirk (K), and the tests that show it.\n" +
		"A sentence is a behaviour in [test/contract](../test/contract): requests through a real mlb and HAProxy; a name in code is a test function.\n" +
		"[migration.md](migration.md) tells what the ids mean.\n" +
		"This table is made by `make contract-table`; `make contract` runs the behaviours.\n\n" +
		"| Entry | Shown by |\n|---|---|\n")
	for _, entry := range entries {
		by := strings.Join(shown[entry], "; ")
		if by == "" {
			by = "nothing yet"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", entryCell(entry), by)
	}
	return b.String()
}

// entryCell sets the name of an entry in code.
func entryCell(entry string) string {
	kind, name, ok := strings.Cut(entry, " ")
	if !ok {
		return entry
	}
	return kind + " `" + name + "`"
}

// functionName returns the name of a declaration that is a function and no method.
func functionName(d ast.Decl) (string, bool) {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Recv != nil {
		return "", false
	}
	return f.Name.Name, true
}
