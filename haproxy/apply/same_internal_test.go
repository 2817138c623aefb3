package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlb/haproxy"
)

// written returns the path of a file with a text.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestATextIsComparedAsItWouldBeWritten(t *testing.T) {
	t.Parallel()
	const text = "global\n  daemon\n\nbackend a\n  server x 127.0.0.1:80\n"
	c := haproxy.Parse(text)
	for is, want := range map[string]bool{
		text: true, "": false, text[:len(text)-1]: false, text + "x": false, "G" + text[1:]: false, text + text: false,
	} {
		if got := holds(written(t, is), c); got != want {
			t.Errorf("%q: same is %t, want %t", is, got, want)
		}
	}
	long := strings.Repeat("a.example web\n", 10_000)
	for _, text := range []string{"", "a", long} {
		if !holds(written(t, text), plain(text)) || holds(written(t, text+"a"), plain(text)) || holds(written(t, text), plain(text+"a")) {
			t.Errorf("a text of %d bytes is compared wrongly", len(text))
		}
	}
	if holds(filepath.Join(t.TempDir(), "nothing"), plain("")) {
		t.Error("a file that is not there holds the empty text")
	}
}

// A map that loses its last entries begins like it did before.
func TestATextThatWasComparedIsWrittenWhole(t *testing.T) {
	t.Parallel()
	text := plain("a.example web\n")
	for _, is := range []string{"a.example web\nb.example web\n", "", "a.example web\n", "other\n"} {
		holds(written(t, is), text)
		var b strings.Builder
		if _, err := text.WriteTo(&b); err != nil || b.String() != string(text) {
			t.Errorf("compared with %q, then written as %q, %v", is, b.String(), err)
		}
	}
}
