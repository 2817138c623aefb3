package main

import (
	"math"
	"testing"
)

func TestParseBindAddress(t *testing.T) {
	t.Parallel()
	cases := []struct{ rule, word, want string }{
		{"all addresses", "*:80", "*:80"},
		{"no address means all", ":80", "*:80"},
		{"IPv4", "127.1.2.3:8080", "127.1.2.3:8080"},
		{"IPv6 in brackets", "[0:0::1]:8080", "[::1]:8080"},
		{"a name", "lb-1.example_x.com:1", "lb-1.example_x.com:1"},
		{"the last port", "*:65535", "*:65535"},
		{"no port", "*", ""},
		{"port 0", "*:0", ""},
		{"port beyond the last", "*:65536", ""},
		{"IPv6 without brackets", "::1:80", ""},
		{"a zone", "[fe80::1%eth0]:80", ""},
		{"a second word", "* ssl:80", ""},
		{"a line break", "a\nb:80", ""},
		{"a socket of another kind", "unix@/x:80", ""},
		{"an option", "-x:80", ""},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			got, err := parseBindAddress(c.word)
			switch {
			case c.want == "" && err == nil:
				t.Errorf("%q is taken as %s", c.word, got)
			case c.want != "" && (err != nil || got.String() != c.want):
				t.Errorf("%q gives %s, %v; want %s", c.word, got, err, c.want)
			}
		})
	}
}

func TestParseListen(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"127.0.0.1:0": "127.0.0.1:0", "*:9": ":9", ":9": ":9", "[::1]:9": "[::1]:9",
		"9": "", "a:-1": "", "a:65536": "", "a b:1": "",
	} {
		got, err := parseListen(word)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseListen(%q) = %q, %v; want %q", word, got, err, want)
		}
	}
}

func TestMaxConn(t *testing.T) {
	t.Parallel()
	for hard, want := range map[uint64]int{
		math.MaxUint64: 50000, // no limit
		1 << 20:        50000,
		133674:         50000,
		133673:         49999,
		65536:          24448,
		20000:          7372,
		1024:           256,
		64:             16,
		0:              16,
	} {
		got, reduced := MaxConn(hard)
		if got != want || reduced != (want < 50000) {
			t.Errorf("MaxConn(%d) = %d, %v; want %d", hard, got, reduced, want)
		}
	}
}

// FuzzMaxConn holds the figure below what HAProxy's own sum allows.
func FuzzMaxConn(f *testing.F) {
	f.Add(uint64(20000))
	f.Fuzz(func(t *testing.T, hard uint64) {
		got, reduced := MaxConn(hard)
		if got < leastMaxConn || got > wantedMaxConn || reduced != (got != wantedMaxConn) {
			t.Errorf("MaxConn(%d) = %d, %v", hard, got, reduced)
		}
		if hard >= 128 && uint64(2*got+28) > hard {
			t.Errorf("MaxConn(%d) = %d, which HAProxy refuses", hard, got)
		}
	})
}
