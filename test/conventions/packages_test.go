package conventions_test

import (
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEachPackageHasOnePackageComment looks at every package, those of the tools
// module too. Two comments would be joined by go doc in the order of file names.
func TestEachPackageHasOnePackageComment(t *testing.T) {
	t.Parallel()
	root := projectRoot(t)
	commented := map[string][]string{} // directory -> files with a package comment
	for _, name := range projectFiles(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || inTestdata(name) {
			continue
		}
		dir := path.Dir(name)
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, seen := commented[dir]; !seen {
			commented[dir] = nil
		}
		if file.Doc == nil {
			continue
		}
		commented[dir] = append(commented[dir], path.Base(name))
		want := "Package " + file.Name.Name + " "
		if file.Name.Name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		if !strings.HasPrefix(file.Doc.Text(), want) {
			t.Errorf("%s: package comment begins with %.40q, want %q", name, file.Doc.Text(), want)
		}
	}
	for dir, files := range commented {
		if len(files) != 1 {
			t.Errorf("package %s has its package comment in %d files %v, want 1", dir, len(files), files)
		}
	}
}

// TestPackagesAreNamedForWhatTheyHold refuses the names that say nothing.
func TestPackagesAreNamedForWhatTheyHold(t *testing.T) {
	t.Parallel()
	empty := []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "manager"}
	for _, name := range projectFiles(t) {
		if !strings.HasSuffix(name, ".go") || inTestdata(name) {
			continue
		}
		for _, word := range []string{path.Base(path.Dir(name)), strings.TrimSuffix(path.Base(name), ".go")} {
			if slices.Contains(empty, word) {
				t.Errorf("%s: the name %q does not say what is in it", name, word)
			}
		}
	}
}

// TestShellScriptsAreExecutable keeps "scripts/x" and ".ci/run" callable.
func TestShellScriptsAreExecutable(t *testing.T) {
	t.Parallel()
	for _, name := range projectFiles(t) {
		if !strings.HasPrefix(readText(t, name), "#!") {
			continue
		}
		if !isExecutable(t, name) {
			t.Errorf("%s begins with #! and has no run bit", name)
		}
	}
}

// inTestdata tells whether a file is an input of a test and no part of mlb.
func inTestdata(name string) bool {
	return slices.Contains(strings.Split(path.Dir(name), "/"), "testdata")
}
