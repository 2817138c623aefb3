package balancer

import (
	"os"
	"testing"
)

// Script writes a shell script into the balancer's folder, in which it runs, and
// returns its path.
func (b *Balancer) Script(tb testing.TB, name, text string) string {
	tb.Helper()
	path := b.Path(name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\ncd '"+b.Dir+"'\n"+text), 0o700); err != nil {
		tb.Fatal(err)
	}
	return path
}

// ReloadScript is a user's reload command, for sh in an own folder: it runs an HAProxy
// in the background, or reloads it, and ends when the new worker is there. A signal that
// meets a master in its reload may be lost, so whoever reloads again must have waited.
const ReloadScript = `children() { cat /proc/$(cat pid)/task/*/children; }
before=
if [ -f pid ]; then
  before=$(children)
  kill -USR2 $(cat pid)
else
  setsid haproxy -W -S "$PWD/master.sock" -f "$PWD/haproxy.cfg" </dev/null >/dev/null 2>&1 &
  echo $! >pid
fi
for i in $(seq 200); do
  for child in $(children); do
    case " $before " in *" $child "*) ;; *) exit 0 ;; esac
  done
  sleep 0.05
done
exit 1
`
