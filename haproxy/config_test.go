package haproxy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mlb/haproxy"
)

func parse(tb testing.TB, text string) haproxy.Config {
	tb.Helper()
	return haproxy.Parse(text)
}

// sample is a configuration with everything that Parse looks at.
func sample(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "sample.cfg"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestParseCutsSections(t *testing.T) {
	t.Parallel()
	c := parse(t, sample(t))
	var got []string
	for _, s := range c.Sections.All() {
		got = append(got, s.Key())
	}
	want := []string{
		"global ", "defaults ", "userlist user_a_1", "defaults tcp", "frontend a_1", "backend a_1", "listen b_2",
		"backend c_3", "peers p",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	wantBinds := []string{"127.0.0.1:1", ":::2", "*:3"}
	if diff := cmp.Diff(wantBinds, c.Binds()); diff != "" {
		t.Errorf("binds (-want +got):\n%s", diff)
	}
}

func TestSectionAtFindsTheSectionOfALine(t *testing.T) {
	t.Parallel()
	text := sample(t)
	c := parse(t, text)
	key := " "
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if words, err := haproxy.Words(line); err == nil && len(words) > 0 && haproxy.IsSection(words[0]) {
			key = words[0] + " "
			if len(words) > 1 {
				key += words[1]
			}
		}
		words, err := haproxy.Words(line)
		if s, ok := c.SectionAt(i + 1); !ok || s.Key() != key && (err != nil || len(words) > 0) {
			t.Errorf("line %d (%s) is in %q, want %q", i+1, line, s.Key(), key)
		}
	}
	if s, ok := c.SectionAt(0); ok {
		t.Errorf("line 0 is in %q", s.Key())
	}
}

func TestSkeletonIsWhatCounts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		a, b string
		same bool
	}{
		"blanks do not count":          {"backend x\n  mode http\n", "backend  x\n\tmode\thttp\n", true},
		"comments do not count":        {"backend x\n# a\n mode http # b\n", "backend x\n\n mode http\n", true},
		"the kind of quotes does not":  {"backend x\n a \"b c\"\n", "backend x\n a b\\ c\n", true},
		"words count":                  {"backend x\n a 'b c'\n", "backend x\n a b c\n", false},
		"order counts":                 {"backend x\n a\n b\n", "backend x\n b\n a\n", false},
		"a backslash counts":           {"backend x\n a x\\.y\n", "backend x\n a x.y\n", false},
		"an escaped line break counts": {"backend x\n a x\\ny\n", "backend x\n a xny\n", false},
		"servers are apart":            {"backend x\n server a 1.1.1.1:1\n", "backend x\n", true},
		"servers of peers are not":     {"peers x\n server a 1.1.1.1:1\n", "peers x\n", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := parse(t, tt.a), parse(t, tt.b)
			if got := cmp.Equal(a.Sections.At(0).Skeleton, b.Sections.At(0).Skeleton); got != tt.same {
				t.Errorf("skeletons %q and %q", a.Sections.At(0).Skeleton, b.Sections.At(0).Skeleton)
			}
		})
	}
}

func TestEffectiveServer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"keywords by name":                 {"backend x\n server s 1.1.1.1:1 weight 2 check\n", "check,weight 2"},
		"the last of one keyword":          {"backend x\n server s 1.1.1.1:1 weight 2 weight 3\n", "weight 3"},
		"default-server":                   {"backend x\n default-server inter 3s\n server s 1.1.1.1:1 check\n", "check,inter 3s"},
		"default-server of defaults":       {"defaults\n default-server fall 9\nbackend x\n server s 1.1.1.1:1\n", "fall 9"},
		"the section's own goes over it":   {"defaults\n default-server fall 9 rise 1\nbackend x\n default-server fall 8\n server s 1.1.1.1:1\n", "fall 8,rise 1"},
		"the line goes over all":           {"backend x\n default-server fall 8\n server s 1.1.1.1:1 fall 7\n", "fall 7"},
		"no- takes away":                   {"backend x\n default-server check\n server s 1.1.1.1:1 no-check\n", "no-check"},
		"enabled takes disabled away":      {"backend x\n default-server disabled\n server s 1.1.1.1:1 enabled\n", "enabled"},
		"default-server later is for none": {"backend x\n server s 1.1.1.1:1\n default-server check\n", ""},
		"the latest defaults count":        {"defaults\n default-server fall 9\ndefaults\n mode tcp\nbackend x\n server s 1.1.1.1:1\n", ""},
		"named defaults count":             {"defaults d\n default-server fall 9\ndefaults\n mode tcp\nbackend x from d\n server s 1.1.1.1:1\n", "fall 9"},
		"defaults of defaults count":       {"defaults d\n default-server fall 9\ndefaults e from d\n default-server rise 3\nbackend x\n server s 1.1.1.1:1\n", "fall 9,rise 3"},
		"an unknown one takes the rest":    {"backend x\n server s 1.1.1.1:1 check whatever 1 weight 2\n", "check,whatever 1 weight 2?"},
		"arguments keep their quotes":      {"backend x\n server s 1.1.1.1:1 sni \"str(a b)\"\n", "sni 'str(a b)'"},
		"a missing argument":               {"backend x\n server s 1.1.1.1:1 weight\n", "weight"},
		"a missing address":                {"backend x\n server s\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := parse(t, tt.text)
			var got []string
			for _, k := range c.Sections.At(c.Sections.Len() - 1).Servers[0].Keywords {
				text := k.String()
				if k.Unknown {
					text += "?"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, ",")); diff != "" {
				t.Errorf("keywords (-want +got):\n%s", diff)
			}
		})
	}
}

// What is wrong with such a line is for HAProxy to say, so it has to be loaded.
func TestALineWithAnOpenQuoteIsNoServerAndNeedsAReload(t *testing.T) {
	t.Parallel()
	broken := parse(t, backend(srvA, "server b 10.0.0.2:80 weight '2"))
	if len(broken.Sections.At(0).Servers) != 1 {
		t.Errorf("servers %v", broken.Sections.At(0).Servers)
	}
	plan := haproxy.Diff(parse(t, backend(srvA)), broken, version(3, 0))
	if len(plan.Steps) > 0 || len(plan.Reasons) != 1 || plan.Reasons[0].Code != haproxy.ReasonSectionChanged {
		t.Errorf("plan %v", plan)
	}
}

func TestTextIsTheOriginal(t *testing.T) {
	t.Parallel()
	for _, text := range []string{sample(t), "\n", "\n\n", "x\n", "backend x\n", "backend x\n server a b\n default-server check\n server c d\n\n# e\n"} {
		if diff := cmp.Diff(text, parse(t, text).Text()); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
	}
}

// A text that was written is read as the same configuration.
func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	for _, seed := range []string{
		"", "\n", "backend", "backend x\nserver a b\nserver", "listen 'a b'\n server a b c", "'backend' x\n'server' a b",
		"backend x\n \u00a0\n server a 1.1.1.1:1 weight 'a\\nb'", "defaults from\nbackend from from from", "''\n'' a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := haproxy.Parse(text)
		again := haproxy.Parse(c.Text())
		if diff := cmp.Diff(sections(c), sections(again), cmpopts.IgnoreUnexported(haproxy.Section{})); diff != "" {
			t.Errorf("configuration (-first +second):\n%s", diff)
		}
		if want := strings.TrimSuffix(text, "\n") + "\n"; text != "" && c.Text() != want {
			t.Errorf("text (-want +got):\n%s", cmp.Diff(want, c.Text()))
		}
		if plan := haproxy.Diff(c, again, haproxy.Version{Major: 3, Minor: 2}); !plan.Empty() {
			t.Errorf("Diff(x, x) = %v", plan)
		}
	})
}
