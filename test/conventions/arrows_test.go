package conventions_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// forbidden are imports that the linter must refuse: the file that would hold
// the import, the import, and a part of the reason given.
func forbidden() []struct{ rule, file, imports, reason string } {
	return []struct{ rule, file, imports, reason string }{
		{"the model imports nothing of mlb", "discovery/x.go", "mlb/haproxy", "imports nothing of mlb"},
		{"the model does not know Marathon", "discovery/y.go", "mlb/discovery/marathon", "imports nothing of mlb"},
		{"Marathon's side does not know HAProxy", "discovery/marathon/x.go", "mlb/haproxy", "knows the model and nothing else"},
		{"the last good state does not know Marathon", "discovery/lastgood/x.go", "mlb/discovery/marathon", "holds values of the model"},
		{"haproxy does not know Marathon", "haproxy/x.go", "mlb/discovery/marathon", "not its business"},
		{"haproxy does not carry out plans", "haproxy/y.go", "mlb/haproxy/apply", "not its business"},
		{"rendering does not know Marathon", "haproxy/render/x.go", "mlb/discovery/marathon", "function of services and templates"},
		{"rendering applies nothing", "haproxy/render/y.go", "mlb/haproxy/apply", "function of services and templates"},
		{"the runtime client knows no process", "haproxy/runtime/x.go", "mlb/haproxy/process", "carries commands"},
		{"the process does not read the file", "haproxy/process/x.go", "mlb/haproxy", "does not know what is in the file"},
		{"certificates do not know the loop", "haproxy/certs/x.go", "mlb/haproxy/apply", "independent of Marathon"},
		{"the loop does not render", "haproxy/apply/x.go", "mlb/haproxy/render", "neither renders nor asks Marathon"},
		{"the loop does not know Marathon", "haproxy/apply/y.go", "mlb/discovery/marathon", "neither renders nor asks Marathon"},
		{"templates import nothing of mlb", "templates/x.go", "mlb/haproxy/render", "templates are text"},
		{"the pass does not know Marathon", "control/x.go", "mlb/discovery/marathon", "only cmd/mlb knows"},
		{"the pass does not serve HTTP", "control/y.go", "mlb/admin", "only cmd/mlb knows"},
		{"the interface decides nothing", "admin/x.go", "mlb/haproxy/apply", "decides nothing"},
		{"code that ships imports no test", "zdd/x.go", "mlb/test/marathonsim", "part of code that ships"},
		{"a command imports no test", "cmd/mlb/x.go", "mlb/test/marathonsim", "for mlb demo"},
		{"the simulator shares no types with the client", "test/marathonsim/x.go", "mlb/discovery/marathon", "share its mistakes"},
		{"a pure package reads no file", "haproxy/z.go", "os", "reads no file"},
		{"a pure package dials nobody", "discovery/z.go", "net", "opens no connection"},
		{"a pure package does not log", "haproxy/render/z.go", "go.uber.org/zap", "does not log"},
		{"client-native has one home", "haproxy/apply/z.go", "github.com/haproxytech/client-native/v5/runtime", "use that"},
		{"the event stream has one home", "control/z.go", "github.com/r3labs/sse/v2", "read in discovery/marathon"},
		{"requests have one home", "admin/z.go", "github.com/hashicorp/go-retryablehttp", "made in discovery/marathon"},
		{"files have three writers", "control/w.go", "github.com/google/renameio/v2", "only writers of files"},
		{"flags are read in cmd", "control/v.go", "github.com/spf13/pflag", "become a Config there"},
		{"differences are printed by tests", "control/u.go", "github.com/google/go-cmp/cmp", "only tests"},
	}
}

// allowed are imports that the linter must let pass.
func allowed() []struct{ file, imports string } {
	return []struct{ file, imports string }{
		{"discovery/marathon/ok.go", "mlb/discovery"},
		{"haproxy/ok.go", "mlb/discovery"},
		{"haproxy/render/ok.go", "mlb/templates"},
		{"haproxy/runtime/ok.go", "github.com/haproxytech/client-native/v5/runtime"},
		{"haproxy/process/ok.go", "mlb/haproxy/runtime"},
		{"haproxy/apply/ok.go", "mlb/haproxy/certs"},
		{"haproxy/apply/ok2.go", "github.com/google/renameio/v2"},
		{"discovery/lastgood/ok.go", "github.com/google/renameio/v2"},
		{"control/ok.go", "mlb/haproxy/apply"},
		{"admin/ok.go", "mlb/control"},
		{"cmd/mlb/ok.go", "mlb/discovery/marathon"},
		{"cmd/mlb/demo.go", "mlb/test/marathonsim"},
		{"haproxy/net.go", "net/netip"},
	}
}

// stubs are the packages of the module that the linter is run on.
func stubs() []string {
	return []string{
		"admin", "cmd/mlb", "control", "discovery", "discovery/lastgood", "discovery/marathon", "haproxy", "haproxy/apply",
		"haproxy/certs", "haproxy/process", "haproxy/render", "haproxy/runtime", "templates",
		"test/marathonsim", "zdd",
	}
}

// TestLinterRefusesForbiddenImports runs the linter, with the project's own
// configuration, over a module that breaks each of the import rules once. The
// rules are worth something only if they can fail.
func TestLinterRefusesForbiddenImports(t *testing.T) {
	t.Parallel()
	if os.Getenv("CI") == "" {
		t.Skip("builds the linter; set CI to run it, as make test does")
	}

	root := projectRoot(t)
	binary := buildLinter(t, root)
	// Some of the imports would form a cycle, which stops the linter before any
	// rule is asked. None can when all imports of a module point to a path that
	// sorts later, or all to one that sorts earlier: hence two modules.
	got := map[string]string{}
	for _, later := range []bool{true, false} {
		module := newModule(t, root, later)
		for _, issue := range lint(t, binary, module) {
			got[filepath.ToSlash(issue.Pos.Filename)] += issue.Text + "\n"
		}
	}

	for _, c := range forbidden() {
		if !strings.Contains(got[c.file], c.reason) {
			t.Errorf("%s: import of %s in %s: linter says %q, want a refusal with %q", c.rule, c.imports, c.file, got[c.file], c.reason)
		}
	}
	for _, c := range allowed() {
		if got[c.file] != "" {
			t.Errorf("import of %s in %s: linter says %q, want no refusal", c.imports, c.file, got[c.file])
		}
	}
}

// newModule writes a module with all stubs and those imports of the tables that
// point to a later path, or those that point to an earlier one.
func newModule(t *testing.T, root string, later bool) string {
	t.Helper()
	module := t.TempDir()
	for _, name := range []string{".golangci.yml", "go.mod", "go.sum"} {
		copyFile(t, filepath.Join(root, name), filepath.Join(module, name))
	}
	for _, dir := range stubs() {
		writeGo(t, module, path.Join(dir, "stub.go"), "")
	}
	write := func(file, imports string) {
		if ("mlb/"+path.Dir(file) < imports) == later {
			writeGo(t, module, file, imports)
		}
	}
	for _, c := range forbidden() {
		write(c.file, c.imports)
	}
	for _, c := range allowed() {
		write(c.file, c.imports)
	}
	return module
}

// issue is what the linter's JSON says about one finding.
type issue struct {
	Text string
	Pos  struct{ Filename string }
}

// buildLinter builds the linter that the project pins.
func buildLinter(t *testing.T, root string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "golangci-lint")
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile=tools/go.mod", "-o", binary,
		"github.com/golangci/golangci-lint/v2/cmd/golangci-lint")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the linter: %v\n%s", err, out)
	}
	return binary
}

// lint runs the import rules, and no other, over module.
func lint(t *testing.T, binary, module string) []issue {
	t.Helper()
	run := exec.CommandContext(t.Context(), binary, "run", "--enable-only=depguard",
		"--output.json.path=stdout", "--show-stats=false", "--issues-exit-code=0", "./...")
	run.Dir = module
	// With a cache of its own, no earlier run can answer for this one.
	run.Env = append(os.Environ(), "GOLANGCI_LINT_CACHE="+t.TempDir(), "GOWORK=off")
	out, err := run.Output()
	if err != nil {
		t.Fatalf("run the linter: %v\n%s", err, out)
	}
	var report struct{ Issues []issue }
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("read the linter's report: %v\n%s", err, out)
	}
	return report.Issues
}

// writeGo writes a Go file of module that imports one package, or none.
func writeGo(t *testing.T, module, file, imports string) {
	t.Helper()
	name := path.Base(path.Dir(file))
	if strings.HasPrefix(file, "cmd/") {
		name = "main"
	}
	text := "package " + name + "\n"
	if imports != "" {
		text += "\nimport _ \"" + imports + "\"\n"
	}
	full := filepath.Join(module, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyFile copies one file.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
