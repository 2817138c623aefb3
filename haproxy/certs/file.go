package certs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// fileMode lets only the owner see a private key (D4).
const fileMode fs.FileMode = 0o600

// File is one PEM text and where it belongs.
type File struct {
	// Path is the file to write. Its folder is made if it is missing.
	Path string
	// PEM is the text. It is written as it is.
	PEM []byte
}

// Check returns an error with ErrUnusable in its chain if HAProxy could not serve from
// the text, written where it belongs. It holds no part of the text.
func (f File) Check() error { return checkText(f.Path, f.PEM) }

// WriteFiles makes each file hold its text with mode 0600. A file that already
// does is not touched. One that cannot be written does not keep the others from
// being written; the error joins one error for each of them and holds no part of
// a text. Each file is complete or as before, also after a power failure.
func WriteFiles(files []File) error {
	var errs []error
	for _, f := range files {
		if err := f.write(); err != nil {
			errs = append(errs, fmt.Errorf("write certificate %s: %w", f.Path, err))
		}
	}
	return errors.Join(errs...)
}

// write does nothing for a file that is as it should be.
func (f File) write() error {
	if same, err := f.isWritten(); same || err != nil {
		return err
	}
	dir := filepath.Dir(f.Path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	err := renameio.WriteFile(f.Path, f.PEM, fileMode,
		renameio.WithTempDir(dir), renameio.WithStaticPermissions(fileMode))
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// isWritten reports whether the file holds the text, and corrects its mode if so.
func (f File) isWritten() (bool, error) {
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, errNotRegular
	}
	text, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrPermission) {
		return false, nil // whoever may replace a file need not be able to read it
	}
	if err != nil || !bytes.Equal(text, f.PEM) {
		return false, err
	}
	if info.Mode().Perm() != fileMode {
		return true, os.Chmod(f.Path, fileMode)
	}
	return true, nil
}

// errNotRegular is returned for a folder, device or socket where a file belongs.
var errNotRegular = errors.New("not a regular file")

// syncDir makes a rename in the folder survive a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
