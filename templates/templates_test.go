package templates_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/templates"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	values := templates.Values{"backend": "a_1", "hostname": "{backend}"}
	for rule, c := range map[string]struct {
		template templates.Template
		want     string
		bad      string
	}{
		"a placeholder is replaced":              {templates.Template{Text: "use {backend}\n"}, "use a_1\n", ""},
		"a value is not expanded again":          {templates.Template{Text: "{hostname}"}, "{backend}", ""},
		"double braces are literal":              {templates.Template{Text: "if {{ x }} {{backend}}"}, "if { x } {backend}", ""},
		"an unknown name is an error":            {templates.Template{Name: "X", Text: "{backends}"}, "", "HAPROXY_X: {backends}"},
		"an empty placeholder is an error":       {templates.Template{Text: "{}"}, "", "{}"},
		"a lone opening brace is an error":       {templates.Template{Text: "a { b"}, "", "a lone {"},
		"a lone closing brace is an error":       {templates.Template{Text: "a } b"}, "", "a lone }"},
		"attributes and conversions are unknown": {templates.Template{Text: "{backend.x} {backend!r}"}, "", "{backend.x}"},
		"a raw override is pasted as it is":      {templates.Template{Raw: true, Text: "{ backend } {backend}"}, "{ backend } {backend}", ""},
		"a raw default fills known names only":   {templates.Template{Raw: true, Own: true, Text: "{ ssl_fc } {backend} {x}"}, "{ ssl_fc } a_1 {x}", ""},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			got, err := c.template.Expand(values)
			if c.bad != "" {
				if !errors.Is(err, templates.ErrPlaceholder) || !strings.Contains(err.Error(), c.bad) {
					t.Errorf("error %v, want ErrPlaceholder about %q", err, c.bad)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

// D35: without it the next template would continue the line.
func TestD35AMissingLineBreakIsAdded(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"BACKEND_HEAD": "text\n", "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS": "text",
	} {
		d, err := templates.Default(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Replaced("text").Text; got != want {
			t.Errorf("%s replaced: %q, want %q", name, got, want)
		}
		if got := d.Replaced("").Text; got != "" {
			t.Errorf("%s replaced by nothing: %q", name, got)
		}
	}
}

func TestEveryDefaultIsReadable(t *testing.T) {
	t.Parallel()
	names := templates.Names()
	if len(names) == 0 {
		t.Fatal("no templates")
	}
	for _, n := range names {
		d, err := templates.Default(n)
		if err != nil || !d.Own || d.Name != n {
			t.Errorf("default of %s: %+v, %v", n, d, err)
		}
	}
	if _, err := templates.Default("NO_SUCH"); !errors.Is(err, templates.ErrUnknown) {
		t.Errorf("error %v, want ErrUnknown", err)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("{backend} {{x}}")
	f.Add("}{")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := templates.Template{Text: text}.Expand(templates.Values{"backend": "a"})
		if err != nil && got != "" {
			t.Errorf("%q: text %q beside error %v", text, got, err)
		}
		if err == nil && !strings.ContainsAny(text, "{}") && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
