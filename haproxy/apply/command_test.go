package apply_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
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
	lines := "#!/bin/sh\ncd " + r.dir + `
read master rest <haproxy.pids
[ -f begun ] && exec kill -USR2 $master
echo >begun
for i in $(seq 400); do [ -f go ] && break; sleep 0.05; done
exec kill -9 $master
`
	if err := os.WriteFile(script, []byte(lines), 0o700); err != nil {
		t.Fatal(err)
	}
	r.run(t, func(c *apply.Config) {
		c.Command = process.NewCommand(process.CommandConfig{
			Words: []string{script}, Runs: 1, Interval: 5 * time.Second, Names: []string{filepath.Base(r.binary)},
		}, zap.NewNop())
	})
	r.apply(t, apply.MethodStart, proxy("s", r.bind, a))
	other := haproxytest.FreeAddr(t)
	wanted := text(proxy("s", r.bind, a), proxy("other", other, b))
	r.applyAs(t, apply.MethodDeferred, wanted)
	haproxytest.Eventually(t, "the command runs", func() bool { return exists(filepath.Join(r.dir, "begun")) })
	// Somebody takes the new port, so that HAProxy can start with the earlier text only.
	var lc net.ListenConfig
	holder, err := lc.Listen(t.Context(), "tcp4", other)
	if err != nil {
		t.Fatal(err)
	}
	before := r.process.PIDs()
	if err := os.WriteFile(filepath.Join(r.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	haproxytest.Eventually(t, "another haproxy runs", func() bool {
		now := r.process.PIDs()
		return len(now) > 1 && now[0] != before[0] && r.Status().Running
	})
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	asked := r.again.Load()
	haproxytest.Eventually(t, "the newer text serves", func() bool {
		if r.again.Load() > asked { // the port was free too late
			_, _ = r.Apply(t.Context(), wanted)
		}
		return slices.Equal(answering(t, other), []string{"b"})
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
