package apply_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// archived returns what the archive holds: text by name.
func (r *rig) archived(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join(r.dir, "archive")
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("mode of %s is %s", e.Name(), info.Mode())
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func TestD45EarlierVersionsAreKeptNewestFirst(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	for versions, kept := range map[int]int{0: 1, 1: 1, 3: 3} {
		t.Run(fmt.Sprint(versions, " versions keep ", kept), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			// Left by an instance that kept more.
			if err := os.MkdirAll(filepath.Join(r.dir, "archive"), 0o700); err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= 6; n++ {
				if err := os.WriteFile(filepath.Join(r.dir, "archive", fmt.Sprintf("hosts.map.%d", n)), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r.run(t, func(c *apply.Config) { c.ArchiveVersions = versions })
			var texts []haproxy.Config
			for i, chosen := range []string{"a", "b", "a", "b", "a"} {
				d := r.mapped(chosen, a, b)
				d = haproxy.Parse(d.Text() + fmt.Sprintf("backend n%d\n", i)).WithFiles(d.Files)
				texts = append(texts, d)
				if result, err := r.Apply(t.Context(), d); err != nil {
					t.Fatalf("Apply: %+v, %v", result, err)
				}
				haproxytest.Eventually(t, "it runs", func() bool { return r.Status().InSync })
			}
			want := map[string]string{}
			for n := 1; n <= kept; n++ {
				was := texts[len(texts)-1-n]
				want[fmt.Sprintf("haproxy.cfg.%d", n)] = was.Text()
				want[fmt.Sprintf("hosts.map.%d", n)] = was.Files[1].Text
			}
			if diff := cmp.Diff(want, r.archived(t)); diff != "" {
				t.Errorf("archive (-want +got):\n%s", diff)
			}
			info, err := os.Stat(filepath.Join(r.dir, "archive"))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o700 {
				t.Errorf("mode of the folder is %s", info.Mode())
			}
		})
	}
}

func TestD46RefusedConfigurationIsKeptInTheArchiveOnly(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	r := serving(t, a)
	bad := []string{}
	for i := range 4 {
		section := fmt.Sprintf("backend bad%d\n  nonsense\n", i)
		bad = append(bad, text(proxy("s", r.bind, a), section).Text())
		r.fail(t, proxy("s", r.bind, a), section)
		r.fail(t, proxy("s", r.bind, a), section)
	}
	want := map[string]string{"haproxy.cfg.refused.1": bad[3], "haproxy.cfg.refused.2": bad[2], "haproxy.cfg.refused.3": bad[1]}
	if diff := cmp.Diff(want, r.archived(t)); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}
