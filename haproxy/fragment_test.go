package haproxy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"mlb/haproxy"
)

// fragments are texts as templates write them, and some that no default template
// would give.
func fragments() []string {
	return []string{
		"", "\n", "# a comment\n", "global\n  maxconn 100\n", "defaults\n  mode http\n  default-server check\n",
		"\ndefaults tcp from x\n  mode tcp\n", "\nfrontend a\n  bind *:80\n  use_backend a\n",
		"\nbackend a\n  balance leastconn\n  server s 10.0.0.1:80 weight 2\n", "  server t 10.0.0.2:80\n  # behind\n\n",
		"backend b from tcp\n  default-server weight 7\n  server s 10.0.0.1:80\n  use-server s if x\n",
		"\n# of b\nbackend b\n  server s 10.0.0.1:80 'open\n", "listen c\n  server s 10.0.0.1:80 track a/s\n",
	}
}

func assemble(texts []string) (haproxy.Config, []*haproxy.Fragment) {
	var fs []*haproxy.Fragment
	for _, t := range texts {
		fs = append(fs, haproxy.NewFragment(t))
	}
	return haproxy.Assemble(fs), fs
}

// Fragments are a way to be fast, not a second grammar.
func TestAssembledTextIsReadAsTheWholeOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.SampledFrom(fragments()), 1, 8).Draw(t, "fragments")
		got, fs := assemble(texts)
		want := haproxy.Parse(strings.Join(texts, ""))
		if diff := cmp.Diff(strings.TrimRight(want.Text(), "\n"), strings.TrimRight(got.Text(), "\n")); diff != "" {
			t.Fatalf("text (-whole +assembled):\n%s", diff)
		}
		if !slices.Equal(texts, []string{""}) && !onlyComments(texts) {
			sameMeaning(t, want, got)
		}
		if again := haproxy.Assemble(fs); !slices.Equal(sections(got), sections(again)) && !slices.ContainsFunc(texts, continues) {
			t.Errorf("the second time other sections")
		}
	})
}

func onlyComments(texts []string) bool {
	return !slices.ContainsFunc(texts, func(s string) bool { return strings.Trim(s, "\n") != "" && !strings.HasPrefix(s, "#") })
}

// continues reports whether a fragment belongs to the section before it.
func continues(text string) bool {
	for line := range strings.Lines(text) {
		if words, _ := haproxy.Words(line); len(words) > 0 {
			return !haproxy.IsSection(words[0])
		}
	}
	return text != ""
}

func sameMeaning(t *rapid.T, want, got haproxy.Config) {
	if diff := cmp.Diff(sections(want), sections(got), cmpopts.IgnoreUnexported(haproxy.Section{}),
		cmpopts.IgnoreFields(haproxy.Section{}, "Lead", "Lines"), cmpopts.IgnoreFields(haproxy.Server{}, "Position")); diff != "" {
		t.Fatalf("sections (-whole +assembled):\n%s", diff)
	}
	for _, plan := range []haproxy.Plan{haproxy.Diff(want, got, version(2, 6)), haproxy.Diff(got, want, version(2, 6))} {
		if !plan.Empty() && sound(want) {
			t.Fatalf("plan %v", plan)
		}
	}
}

// sections returns the sections of a configuration.
func sections(c haproxy.Config) []*haproxy.Section {
	var out []*haproxy.Section
	for _, s := range c.Sections.All() {
		out = append(out, s)
	}
	return out
}

// sound reports whether HAProxy could take the servers of a text.
func sound(c haproxy.Config) bool {
	for _, s := range c.Sections.All() {
		names := map[string]bool{}
		for _, srv := range s.Servers {
			if names[srv.Name] {
				return false
			}
			names[srv.Name] = true
		}
	}
	return true
}

func TestWithReplacesOneSectionOnly(t *testing.T) {
	t.Parallel()
	config, fs := assemble([]string{"defaults\n  default-server check\n", "\nbackend a\n  server s 10.0.0.1:80\n", "\nbackend b\n  server s 10.0.0.1:80\n"})
	longer := "\nbackend a\n  server s 10.0.0.1:80\n  server t 10.0.0.2:80\n"
	next, ok := config.With(fs[1], haproxy.NewFragment(longer))
	if !ok {
		t.Fatal("not replaced")
	}
	want := strings.Replace(config.Text(), strings.TrimLeft(fs[1].Text(), "\n"), strings.TrimLeft(longer, "\n"), 1)
	if diff := cmp.Diff(want, next.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if next.Sections.At(0) != config.Sections.At(0) || next.Sections.At(2) != config.Sections.At(2) {
		t.Error("other sections are not the same ones")
	}
	plan := haproxy.Diff(config, next, version(2, 6))
	if len(plan.Steps) != 1 || fmt.Sprint(plan.Steps[0].Server.Keywords) != "[check]" || len(plan.Reasons) > 0 {
		t.Errorf("plan %v: what the defaults say has to be in the step", plan)
	}
	for _, other := range []string{"", "\nbackend c\n", "  server t 10.0.0.2:80\n", "\nbackend a\n\nbackend c\n", "frontend a\n"} {
		if _, ok := config.With(fs[1], haproxy.NewFragment(other)); ok {
			t.Errorf("%q replaces the section", other)
		}
	}
}

// What HAProxy has been brought to is not compared again with each pass.
func TestTowardTakesTheDesiredSectionWhereNothingIsLeftToDo(t *testing.T) {
	t.Parallel()
	running, desired := parse(t, backend(srvA)), parse(t, backend(srvB, srvA))
	v := version(2, 6)
	steps := haproxy.Diff(running, desired, v).Steps
	if c := running.Toward(desired, steps, v); c.Sections.At(0) != desired.Sections.At(0) {
		t.Errorf("not taken:\n%s", c.Text())
	}
	more := parse(t, backend(srvB, srvA, srvC))
	if c := running.Toward(more, steps, v); c.Sections.At(0) == more.Sections.At(0) || c.Text() != running.After(steps).Text() {
		t.Errorf("a section with another server was taken:\n%s", c.Text())
	}
}

// A text that was checked a while ago is loaded with the servers of now.
func TestWithServersOfTakesTheServersAndLeavesTheLines(t *testing.T) {
	t.Parallel()
	old := parse(t, "defaults\n default-server check\nbackend x\n balance leastconn\n "+srvA+"\nbackend y\n "+srvA+"\nbackend gone\n "+srvA+"\n")
	now := parse(t, "defaults\n default-server check\nbackend x\n balance roundrobin\n "+srvB+" weight 7\nbackend y\n "+srvC+"\nbackend new\n")
	got := old.WithServersOf(now)
	want := "defaults\n default-server check\nbackend x\n balance leastconn\n  server b 10.0.0.2:2 check weight 7\nbackend y\n " + srvC + "\nbackend gone\n " + srvA + "\n"
	if diff := cmp.Diff(want, got.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if old.Text() == got.Text() {
		t.Error("the configuration itself was changed")
	}
}
