package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhoseHAProxyItIs(t *testing.T) {
	t.Parallel()
	type answer struct {
		Foreign bool
		Command []string
	}
	for rule, c := range map[string]struct {
		args []string
		want answer
	}{
		"the container form runs its own":                   {[]string{"mlb", "sse"}, answer{}},
		"the image's own reload command is none":            {[]string{"/marathon-lb/run", "sse", "-c", "/marathon-lb/reload_haproxy.sh"}, answer{}},
		"with a user's command the container runs it still": {[]string{"mlb", "poll", "-c", "reload 'a b'"}, answer{Command: []string{"reload", "a b"}}},
		"the updater's HAProxy is somebody else's":          {[]string{"marathon_lb.py"}, answer{Foreign: true}},
		"so it is when it stays":                            {[]string{"mlb", "--sse", "-c", "x"}, answer{Foreign: true, Command: []string{"x"}}},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			cfg, err := Load(append(c.args, "--group", "g"), []string{"PORTS=1"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, answer{cfg.foreign(), cfg.Command}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
