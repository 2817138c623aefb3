package apply_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/apply"
	"mlb/haproxy/process"
	"mlb/test/haproxytest"
)

// HAProxy may die while a command reloads it. What mlb starts then has the earlier text,
// and the command's good end must not be taken for that of the newer one.
func TestAStartOvertakesTheCommand(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := newRig(t)
	script := filepath.Join(r.dir, "reload.sh")
	text := fmt.Sprintf("#!/bin/sh\ncd %s\nread master rest <haproxy.pids\n"+
		"if [ ! -f killed ]; then echo >killed; exec kill -9 $master; fi\nexec kill -USR2 $master\n", r.dir)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	r.run(t, func(c *apply.Config) {
		c.Command = process.NewCommand(process.CommandConfig{
			Words: []string{script}, Runs: 1, Interval: 5 * time.Second, Names: []string{filepath.Base(r.binary)},
		}, zap.NewNop())
	})
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	other := haproxytest.FreeAddr(t)
	r.apply(t, apply.MethodDeferred, proxy("s", r.bind, a), proxy("other", other, b))
	r.awaitAnswers(t, other, "b")
}
