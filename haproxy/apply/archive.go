package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"go.uber.org/zap"
)

// refusedKept is how many refused configurations are kept (D46).
const refusedKept = 3

// archive keeps earlier versions of files in a folder for this user alone: NAME.1 is
// the newest (contract 7, D45). The folder is made when it is first needed.
type archive struct {
	dir string
	// versions is how many are kept of each file; less than one means one.
	versions int
}

// add keeps a text as the newest version of name.
func (a archive) add(name, text string) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if holds(a.path(name, 1), text) {
		return nil
	}
	last := max(a.versions, 1)
	for n := last - 1; n >= 1; n-- {
		if err := os.Rename(a.path(name, n), a.path(name, n+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("shift archived files: %w", err)
		}
	}
	// There may have been more of them in an earlier run.
	for n := last + 1; exists(a.path(name, n)); n++ {
		if err := os.Remove(a.path(name, n)); err != nil {
			return fmt.Errorf("remove archived file: %w", err)
		}
	}
	return replace(a.path(name, 1), plain(text), 0o600)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (a archive) path(name string, n int) string {
	return filepath.Join(a.dir, name+"."+strconv.Itoa(n))
}

func (l *Loop) archiveDir() string { return filepath.Join(l.cfg.StateDir, "archive") }

// keep archives what was replaced.
func (l *Loop) keep(previous []replaced) {
	for _, p := range previous {
		if p.text != nil {
			l.archiveAs(archive{l.archiveDir(), l.cfg.ArchiveVersions}, filepath.Base(p.path), *p.text)
		}
	}
}

// keepRefused archives a text that HAProxy refused; it is kept nowhere else.
func (l *Loop) keepRefused(text string) {
	l.archiveAs(archive{l.archiveDir(), refusedKept}, filepath.Base(l.cfg.File)+".refused", text)
}

// archiveAs archives a text. That it cannot be archived stops nothing.
func (l *Loop) archiveAs(a archive, name, text string) {
	l.before("write " + a.path(name, 1))
	if err := a.add(name, text); err != nil {
		l.log.Warn("earlier version not archived", zap.Error(err))
	}
}
