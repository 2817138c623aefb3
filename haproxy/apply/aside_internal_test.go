package apply

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
)

// The state directory is often a volume, the configuration not.
func TestWhatIsReplacedIsKeptAndPutBackWhereverTheArchiveIs(t *testing.T) {
	t.Parallel()
	elsewhere, err := os.MkdirTemp("/dev/shm", "mlb-archive") //nolint:usetesting // another file system is what it is about
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(elsewhere) })
	for name, state := range map[string]string{"on one file system": t.TempDir(), "on two": elsewhere} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "haproxy.cfg")
			l := &Loop{cfg: Config{File: path, StateDir: state}, log: zap.NewNop(), before: func(string) {}}
			write := func(text string) []replaced {
				t.Helper()
				previous, err := l.write(nil, path, plain(text))
				if err != nil || !holds(path, plain(text)) {
					t.Fatalf("%q is not written: %v", text, err)
				}
				return previous
			}
			write("first")
			l.restore(write("second"))
			if !holds(path, plain("first")) {
				t.Error("the first text is not put back")
			}
			l.keep(write("third"))
			if !holds(filepath.Join(state, "archive", "haproxy.cfg.1"), plain("first")) {
				t.Error("the first text is not in the archive")
			}
			if left := hidden(l.archiveDir()); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
}
