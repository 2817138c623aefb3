package apply

import (
	"strings"
	"testing"

	"mlb/haproxy"
)

func TestATextIsComparedAsItWouldBeWritten(t *testing.T) {
	t.Parallel()
	const text = "global\n  daemon\n\nbackend a\n  server x 127.0.0.1:80\n"
	c := haproxy.Parse(text)
	for is, want := range map[string]bool{
		text: true, "": false, text[:len(text)-1]: false, text + "x": false, "G" + text[1:]: false, text + text: false,
	} {
		if got := same(is, c); got != want {
			t.Errorf("%q: same is %t, want %t", is, got, want)
		}
	}
	if !same("", plain("")) || same("a", plain("")) {
		t.Error("the empty text is compared wrongly")
	}
}

// A map that loses its last entries begins like it did before.
func TestATextThatWasComparedIsWrittenWhole(t *testing.T) {
	t.Parallel()
	text := plain("a.example web\n")
	for _, is := range []string{"a.example web\nb.example web\n", "", "a.example web\n", "other\n"} {
		same(is, text)
		var b strings.Builder
		if _, err := text.WriteTo(&b); err != nil || b.String() != string(text) {
			t.Errorf("compared with %q, then written as %q, %v", is, b.String(), err)
		}
	}
}
