package haproxy_test

import (
	"errors"
	"testing"

	"mlb/haproxy"
)

func TestServerLinesAreConfined(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want int // servers; -1: refused
	}{
		"nothing":                      {"", 0},
		"comments":                     {"# none\n\n", 0},
		"servers":                      {"  server a 10.0.0.1:1 check\n  server b [::1]:2 weight 5 cookie x\n", 2},
		"another directive":            {"server a 10.0.0.1:1\nhttp-request deny\n", -1},
		"another section":              {"server a 10.0.0.1:1\nfrontend f\n", -1},
		"a section in quotes":          {"'frontend' f\n", -1},
		"default-server":               {"default-server check\n", -1},
		"server-template":              {"server-template s 3 10.0.0.1:1\n", -1},
		"HAProxy's own socket":         {"server a unix@/run/haproxy.sock\n", -1},
		"an abstract socket":           {"server a abns@x\n", -1},
		"a name to be resolved":        {"server a example.com:80\n", -1},
		"an address in a variable":     {"server a \"$HOST\"\n", -1},
		"a name with a slash":          {"server a/b 10.0.0.1:1\n", -1},
		"no name":                      {"server\n", -1},
		"a file to read":               {"server a 10.0.0.1:1 ssl crt /etc/shadow\n", -1},
		"a file behind an escaped tab": {"server a 10.0.0.1:1 check\\\tcrt /etc/shadow\n", -1},
		"a namespace":                  {"server a 10.0.0.1:1 namespace x\n", -1},
		"a variable in an option":      {"server a 10.0.0.1:1 cookie \"${PASSWORD}\"\n", -1},
		"a variable in a sample":       {"server a 10.0.0.1:1 ssl verify none sni env(PASSWORD)\n", -1},
		"a variable behind quotes":     {"server a 10.0.0.1:1 ssl verify none sni e'nv('PASSWORD)\n", -1},
		"a variable behind an escape":  {"server a 10.0.0.1:1 ssl verify none sni \\x65nv(PASSWORD)\n", -1},
		"a check of a socket":          {"server a 10.0.0.1:1 check addr unix@/run/haproxy.sock\n", -1},
		"a check of another address":   {"server a 10.0.0.1:1 check addr 10.0.0.2\n", 1},
		"an unknown option":            {"server a 10.0.0.1:1 check fantasy\n", -1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := haproxy.ServerLines(tt.text)
			if tt.want < 0 {
				if !errors.Is(err, haproxy.ErrConfined) {
					t.Errorf("ServerLines = %v, %v; want ErrConfined", got, err)
				}
				return
			}
			if err != nil || len(got) != tt.want {
				t.Errorf("ServerLines = %v, %v; want %d servers", got, err, tt.want)
			}
		})
	}
	if _, err := haproxy.ServerLines("server 'a"); !errors.Is(err, haproxy.ErrQuote) {
		t.Errorf("an open quote: %v", err)
	}
}
