package apply

import (
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
