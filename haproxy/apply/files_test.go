package apply_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// mapped is a configuration whose frontend chooses between targets by a map that
// knows one key.
func (r *rig) mapped(chosen string, servers ...string) haproxy.Config {
	var s strings.Builder
	path := filepath.Join(r.dir, "hosts.map")
	s.WriteString("frontend f\n  bind " + r.bind + "\n  use_backend %[str(key),map(" + path + ")]\n")
	for _, l := range servers {
		s.WriteString("backend " + l[:1] + "\n  server " + l + "\n")
	}
	return text(s.String()).WithFiles([]haproxy.File{{Name: "hosts.map", Text: "key " + chosen + "\n"}, {Name: "empty.map"}})
}

// withFile returns the configuration with another text of a file.
func withFile(c haproxy.Config, name, text string) haproxy.Config {
	files := slices.DeleteFunc(slices.Clone(c.Files), func(f haproxy.File) bool { return f.Name == name })
	return c.WithFiles(append(files, haproxy.File{Name: name, Text: text}))
}

// applyAs applies and checks by which method.
func (r *rig) applyAs(t *testing.T, method string, d haproxy.Config) apply.Result {
	t.Helper()
	result, err := r.Apply(t.Context(), d)
	if err != nil || result.Method != method {
		t.Fatalf("Apply: %+v, %v, want method %s", result, err, method)
	}
	return result
}

func reasonCodes(reasons []haproxy.Reason) []string {
	var out []string
	for _, r := range reasons {
		out = append(out, r.Code)
	}
	return slices.Compact(out)
}

func TestEntriesOfMapsChangeWithoutAReload(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.run(t, nil)
	r.applyAs(t, apply.MethodStart, r.mapped("a", a, b))
	r.awaitAnswers(t, r.bind, "a")
	r.applyAs(t, apply.MethodNone, r.mapped("a", a, b))
	r.applyAs(t, apply.MethodRuntime, r.mapped("b", a, b))
	r.awaitAnswers(t, r.bind, "b")
	d := r.mapped("b", a, b)
	d = withFile(d, "hosts.map", "other a\nkey b\n")
	r.applyAs(t, apply.MethodRuntime, d)
	r.applyAs(t, apply.MethodNone, d)
	r.applyAs(t, apply.MethodRuntime, r.mapped("a", a, b))
	r.awaitAnswers(t, r.bind, "a")
	haproxytest.Eventually(t, "the file follows", func() bool {
		text, err := os.ReadFile(filepath.Join(r.dir, "hosts.map"))
		return err == nil && string(text) == "key a\n"
	})
	d = r.mapped("b", a, b)
	d = withFile(d, "hosts.map", "key b\nkey a\n") // what a look-up finds then depends on the order
	result := r.applyAs(t, apply.MethodReload, d)
	if diff := cmp.Diff([]string{haproxy.ReasonMapChanged}, reasonCodes(result.Reasons)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	r.awaitAnswers(t, r.bind, "b")
	info, err := os.Stat(filepath.Join(r.dir, "hosts.map"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o640 {
		t.Errorf("mode %s", info.Mode())
	}
}

// The check must see the maps that the text is meant for, not those of the last one.
func TestCandidateIsCheckedWithItsOwnMaps(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.run(t, nil)
	r.applyAs(t, apply.MethodStart, r.mapped("a", a, b))
	before := r.disk(t)
	d := r.mapped("a", a, b)
	d = haproxy.Parse(d.Text() + "frontend lists\n  bind " + haproxytest.FreeAddr(t) + "\n  tcp-request connection reject if { src -f " +
		filepath.Join(r.dir, "sources.map") + " }\n  default_backend a\n").WithFiles(d.Files)
	d = withFile(d, "sources.map", "no address\n")
	result, err := r.Apply(t.Context(), d)
	if err == nil || len(result.Refused) == 0 {
		t.Fatalf("Apply: %+v, %v, want a refusal", result, err)
	}
	if strings.Contains(result.Refused[0].Message, "candidate") {
		t.Errorf("message %q", result.Refused[0].Message)
	}
	if r.disk(t) != before {
		t.Error("the refused text was written")
	}
	if _, err := os.Stat(filepath.Join(r.dir, "sources.map")); err == nil {
		t.Error("the refused map was written")
	}
	d = withFile(d, "sources.map", "192.0.2.0/24\n")
	r.applyAs(t, apply.MethodReload, d)
	if left, err := filepath.Glob(filepath.Join(r.dir, "*.candidate")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAdoptionComparesMaps(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	for name, tc := range map[string]struct {
		// meanwhile changes the map on disk while no mlb runs.
		meanwhile string
		chosen    string
		method    string
	}{
		"the same map is no reload":                       {chosen: "a", method: apply.MethodNone},
		"another map is a step":                           {chosen: "b", method: apply.MethodRuntime},
		"what HAProxy has counts, not what the file says": {meanwhile: "key b\n", chosen: "b", method: apply.MethodRuntime},
		"if nothing changes, either":                      {meanwhile: "key b\n", chosen: "a", method: apply.MethodNone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(t, func(c *apply.Config) { c.StopHAProxy = false })
			r.applyAs(t, apply.MethodStart, r.mapped("a", a, b))
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
			if tc.meanwhile != "" {
				if err := os.WriteFile(filepath.Join(r.dir, "hosts.map"), []byte(tc.meanwhile), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r.run(t, nil)
			r.applyAs(t, tc.method, r.mapped(tc.chosen, a, b))
			r.awaitAnswers(t, r.bind, tc.chosen)
		})
	}
}

// HAProxy is started with the files that it took last, whatever became of those on
// disk.
func TestLastGoodConfigurationHasItsMaps(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	r.run(t, nil)
	r.applyAs(t, apply.MethodStart, r.mapped("a", a, b))
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"haproxy.cfg", "hosts.map", "empty.map"} {
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.run(t, nil)
	if ok, err := r.StartLast(t.Context()); err != nil || !ok {
		t.Fatalf("StartLast: %v, %v", ok, err)
	}
	r.awaitAnswers(t, r.bind, "a")
}

func TestD45LeftoversOfAKilledWriterAreRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	leftovers := []string{".haproxy.cfg123", ".haproxy.cfg.candidate7", "haproxy.cfg.candidate"}
	others := []string{".haproxy.cfg", ".haproxy.cfg.old", ".other5"}
	for _, name := range slices.Concat(leftovers, others) {
		if err := os.WriteFile(filepath.Join(r.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.run(t, nil)
	if _, err := r.StartLast(t.Context()); err != nil { // the loop has begun
		t.Fatal(err)
	}
	there := func(name string) bool {
		_, err := os.Lstat(filepath.Join(r.dir, name))
		return err == nil
	}
	if i := slices.IndexFunc(leftovers, there); i >= 0 {
		t.Errorf("%s is left", leftovers[i])
	}
	for _, name := range others {
		if !there(name) {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestD45NameOfAFileLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(t, nil)
	for _, name := range []string{"", "../x", "/x", ".hidden", "haproxy.cfg", "a/b"} {
		d := text()
		d.Files = []haproxy.File{{Name: name}}
		if result, err := r.Apply(t.Context(), d); err == nil || result.Method != apply.MethodFailed {
			t.Errorf("%q: %+v, %v", name, result, err)
		}
	}
}
