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

// archiveMode is the mode of archived files: what they hold may be secret.
const archiveMode fs.FileMode = 0o600

// archive keeps earlier versions of files in a folder for this user alone: NAME.1 is
// the newest (contract 7, D45). The folder is made when it is first needed.
type archive struct {
	dir string
	// versions is how many are kept of each file; less than one means one.
	versions int
}

// add keeps a text as the newest version of name.
func (a archive) add(name string, text text) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	newest := a.path(name, 1)
	if holds(newest, text) {
		return nil
	}
	if err := a.shift(name); err != nil {
		return err
	}
	aside, ok := text.(content)
	if !ok {
		return replace(newest, text, archiveMode)
	}
	if err := os.Chmod(string(aside), archiveMode); err != nil {
		return fmt.Errorf("archive file: %w", err)
	}
	if err := os.Rename(string(aside), newest); err != nil {
		return fmt.Errorf("archive file: %w", err)
	}
	return nil
}

// shift makes room for a newest version.
func (a archive) shift(name string) error {
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
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (a archive) path(name string, n int) string {
	return filepath.Join(a.dir, name+"."+strconv.Itoa(n))
}

func (l *Loop) archiveDir() string { return filepath.Join(l.cfg.StateDir, "archive") }

// setAside keeps a file that is about to be replaced, under a hidden name in the archive
// that a next mlb removes. That takes a link and neither memory nor a copy; where there
// can be none, as between two file systems, its text is kept. Nil: there is no file.
func (l *Loop) setAside(path string) text {
	if !exists(path) {
		return nil
	}
	aside := l.aside(path)
	l.before("link " + aside)
	_ = os.Remove(aside) // of a file that could not be written
	err := os.Link(path, aside)
	if errors.Is(err, fs.ErrNotExist) && os.MkdirAll(l.archiveDir(), 0o700) == nil {
		err = os.Link(path, aside)
	}
	if err == nil {
		return content(aside)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return plain(text)
}

func (l *Loop) aside(path string) string {
	return filepath.Join(l.archiveDir(), "."+filepath.Base(path)+".aside")
}

// release gives up what was set aside.
func (l *Loop) release(was replaced) {
	if aside, ok := was.before.(content); ok {
		if err := os.Remove(string(aside)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("earlier version not removed", zap.Error(err))
		}
	}
}

// keep archives what was replaced.
func (l *Loop) keep(previous []replaced) {
	for _, p := range previous {
		if p.before != nil {
			l.archiveAs(archive{l.archiveDir(), l.cfg.ArchiveVersions}, filepath.Base(p.path), p.before)
		}
		l.release(p)
	}
}

// keepRefused archives a text that HAProxy refused; it is kept nowhere else.
func (l *Loop) keepRefused(text string) {
	l.archiveAs(archive{l.archiveDir(), refusedKept}, filepath.Base(l.cfg.File)+".refused", plain(text))
}

// archiveAs archives a text. That it cannot be archived stops nothing.
func (l *Loop) archiveAs(a archive, name string, text text) {
	l.before("write " + a.path(name, 1))
	if err := a.add(name, text); err != nil {
		l.log.Warn("earlier version not archived", zap.Error(err))
	}
}
