package apply

import (
	"errors"
	"fmt"
	"io"
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
func (l *Loop) replace(path string, text io.WriterTo, mode fs.FileMode) error {
	l.before("write " + path)
	return replace(path, text, mode)
}

// replace writes a file so that it is complete or as before, also after a power
// failure: temporary file in the same folder, sync, rename, sync of the folder.
// The mode of an old file is kept.
func replace(path string, text io.WriterTo, mode fs.FileMode) error {
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

// writeAtomically writes a file whose temporary one is in dir.
func writeAtomically(dir, path string, text io.WriterTo, mode fs.FileMode) error {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // what was replaced has nothing to clean up
	if _, err := text.WriteTo(f); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// plain is a text to be written, as often as that is asked for.
type plain string

// WriteTo writes the text.
func (p plain) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(p))
	return int64(n), err
}

// errDiffers ends a comparison.
var errDiffers = errors.New("another text")

// same reports whether a text is the one that would be written.
func same(is string, text io.WriterTo) bool {
	rest := comparison(is)
	_, err := text.WriteTo(&rest)
	return err == nil && rest == ""
}

// comparison is what of a text is to be written yet.
type comparison string

func (c *comparison) Write(p []byte) (int, error) {
	if len(p) > len(*c) || string((*c)[:len(p)]) != string(p) {
		return 0, errDiffers
	}
	*c = (*c)[len(p):]
	return len(p), nil
}
