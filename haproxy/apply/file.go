package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// fileMode is the mode of a new configuration file (D45).
const fileMode fs.FileMode = 0o640

// ErrNotRegular is returned for a path that is a link or no regular file (D45).
var ErrNotRegular = errors.New("not a regular file")

// replace is the function of this name, as a step.
func (l *Loop) replace(path, text string, mode fs.FileMode) error {
	l.before("write " + path)
	return replace(path, text, mode)
}

// replace writes a file so that it is complete or as before, also after a power
// failure: temporary file in the same folder, sync, rename, sync of the folder.
// The mode of an old file is kept.
func replace(path, text string, mode fs.FileMode) error {
	switch info, err := os.Lstat(path); {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("write %s: %w", path, ErrNotRegular)
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	if err := writeAtomically(dir, path, text, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder of %s: %w", path, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeAtomically writes a file whose temporary one is in dir. A text of many MB is not
// copied on its way.
func writeAtomically(dir, path, text string, mode fs.FileMode) error {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // what was replaced has nothing to clean up
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
