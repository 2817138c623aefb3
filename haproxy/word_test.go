package haproxy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
	"mlb/test/haproxytest"
)

// wordCases are lines and what HAProxy reads of them.
func wordCases() map[string]struct {
	line string
	want []string
} {
	return map[string]struct {
		line string
		want []string
	}{
		"blanks separate":                            {" \t a  b\vc\r", []string{"a", "b", "c"}},
		"a no-break space does not":                  {"a\u00a0b", []string{"a\u00a0b"}},
		"a comment ends the line":                    {"a#b c", []string{"a"}},
		"a comment alone":                            {"  # x", nil},
		"single quotes keep all":                     {`'a b#\n"$'`, []string{`a b#\n"$`}},
		"double quotes keep blanks":                  {`"a b#'"`, []string{"a b#'"}},
		"quotes may start within a word":             {`a'b c'd"e f"`, []string{"ab cde f"}},
		"an empty word is a word":                    {`a '' b`, []string{"a", "", "b"}},
		"escapes of special characters":              {`a\ b\#c\\d\"e\'f`, []string{`a b#c\d"e'f`}},
		"escapes of control characters":              {`a\tb\rc`, []string{"a\tb\rc"}},
		"an escape by number":                        {`a\x41\x5f`, []string{"aA_"}},
		"a backslash before others stands":           {`^www\.a\d+\q$`, []string{`^www\.a\d+\q$`}},
		"a backslash before others in quotes stands": {`"a\.b"`, []string{`a\.b`}},
		"a backslash before a tab stands":            {"a\\\tb", []string{`a\`, "b"}},
		"a backslash at the end stands":              {`a\`, []string{`a\`}},
		"a dollar needs no escape":                   {`a$b\$c`, []string{`a$b\$c`}},
		"a dollar is escaped in double quotes":       {`"a\$b"`, []string{"a$b"}},
		"escapes in double quotes":                   {`"a\"b\\c\'d\x41\ e"`, []string{`a"b\c'dA e`}},
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for name, tt := range wordCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := haproxy.Words(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("words of %s (-want +got):\n%s", tt.line, diff)
			}
		})
	}
	for _, line := range []string{`'`, `a "b`, `"a\"`, `'a\'b'`} {
		if words, err := haproxy.Words(line); !errors.Is(err, haproxy.ErrQuote) {
			t.Errorf("Words(%s) = %q, %v; want ErrQuote", line, words, err)
		}
	}
}

// HAProxy says how it reads a word when it is an unknown directive.
func TestWordsAgreeWithHAProxy(t *testing.T) {
	t.Parallel()
	binary := haproxytest.Binary(t)
	for name, tt := range wordCases() {
		if len(tt.want) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "haproxy.cfg")
			if err := os.WriteFile(file, []byte("global\n"+tt.line+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), binary, "-c", "-f", file).CombinedOutput()
			if want := "unknown keyword '" + tt.want[0] + "' in 'global' section"; err == nil || !strings.Contains(string(out), want) {
				t.Errorf("haproxy read %s as\n%s\nwant %s", tt.line, out, want)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"abc": "abc", "a.b/c:1,{x}%[y]": "a.b/c:1,{x}%[y]", "é": "é",
		"": "''", "a b": "'a b'", "a#b": "'a#b'", "$HOME": "'$HOME'", `a\b`: `'a\b'`, `"`: `'"'`, "'": `''\'''`,
		"a'b": `'a'\''b'`, "\t": "'\t'", "\r": "'\r'", "\x7f": "'\x7f'",
	}
	for value, want := range tests {
		got, err := haproxy.Quote(value)
		if err != nil || got != want {
			t.Errorf("Quote(%q) = %q, %v; want %q", value, got, err, want)
		}
	}
	for _, value := range []string{"\n", "a\nb", "\x00", "a\x00"} {
		if got, err := haproxy.Quote(value); !errors.Is(err, haproxy.ErrUnwritable) {
			t.Errorf("Quote(%q) = %q, %v; want ErrUnwritable", value, got, err)
		}
	}
}

// What Quote writes is one word, and it is the value.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "a", "a b", "'", `"`, `\`, `'\''`, "#", "$x", "\r", "é\u00a0", "\xff", "'\"\\ '", "\x0b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		quoted, err := haproxy.Quote(value)
		if err != nil {
			if !strings.ContainsAny(value, "\n\x00") {
				t.Fatalf("Quote(%q): %v", value, err)
			}
			return
		}
		got, err := haproxy.Words("x " + quoted + " y")
		if err != nil {
			t.Fatalf("Words of %s: %v", quoted, err)
		}
		if diff := cmp.Diff([]string{"x", value, "y"}, got); diff != "" {
			t.Errorf("words of %s (-want +got):\n%s", quoted, diff)
		}
	})
}
