package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"go.uber.org/zap"

	"mlb/haproxy"
)

// fileMode is the mode of a new configuration file (D45).
const fileMode fs.FileMode = 0o640

// ErrNotRegular is returned for a path that is a link or no regular file (D45).
var ErrNotRegular = errors.New("not a regular file")

// replace writes a file so that it is complete or as before, also after a power
// failure: temporary file in the same folder, sync, rename, sync of the folder.
// The mode of an old file is kept.
func replace(path string, text []byte, mode fs.FileMode) error {
	switch info, err := os.Lstat(path); {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("write %s: %w", path, ErrNotRegular)
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	if err := renameio.WriteFile(path, text, mode, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder of %s: %w", path, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// flushLater lets the file follow a runtime change, at most once in an interval.
func (l *Loop) flushLater() {
	if l.dirty {
		return
	}
	l.dirty = true
	l.flush.Reset(max(0, time.Until(l.lastFlush.Add(flushInterval))))
}

// writeRunning brings the file up to what HAProxy runs.
func (l *Loop) writeRunning() {
	if !l.dirty || l.command.ahead {
		return
	}
	l.dirty = false
	l.flush.Stop()
	l.lastFlush = time.Now()
	text := l.desired.Text
	if !haproxy.Diff(l.running, l.wanted, l.version).Empty() {
		text = l.running.Text()
	}
	previous, err := l.writeFiles(Desired{Text: text, Files: l.running.Files})
	if err != nil {
		l.log.Error("configuration not written, trying again", zap.Error(err))
		l.flushLater()
		return
	}
	l.forgetAdded()
	l.keep(previous)
}
