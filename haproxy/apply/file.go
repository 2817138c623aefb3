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
func (l *Loop) replace(path string, text text, mode fs.FileMode) error {
	l.before("write " + path)
	return replace(path, text, mode)
}

// replace writes a file so that it is complete or as before, also after a power
// failure: temporary file in the same folder, sync, rename, sync of the folder.
// The mode of an old file is kept.
func replace(path string, text text, mode fs.FileMode) error {
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
func writeAtomically(dir, path string, text text, mode fs.FileMode) error {
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

// text is what a file is to hold.
type text interface {
	io.WriterTo
	// Size is how many bytes it has.
	Size() int
}

// plain is a text to be written, as often as that is asked for.
type plain string

// WriteTo writes the text.
func (p plain) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(p))
	return int64(n), err
}

// Size is the length of the text.
func (p plain) Size() int { return len(p) }

// errDiffers ends a comparison.
var errDiffers = errors.New("another text")

// holds reports whether a file is there and holds the text that would be written. It
// has neither as a whole in memory: a configuration may be many MB.
func holds(path string, text text) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() != int64(text.Size()) {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // it is only read
	c := comparison{is: f, chunk: make([]byte, min(text.Size()+1, 8<<10))}
	if _, err = text.WriteTo(&c); err != nil {
		return false
	}
	n, err := f.Read(c.chunk)
	return n == 0 && errors.Is(err, io.EOF)
}

// comparison takes the text that would be written, and compares it with the one that is.
type comparison struct {
	is    io.Reader
	chunk []byte
}

// Write compares what comes next.
func (c *comparison) Write(p []byte) (int, error) { return compare(c, p) }

// WriteString is Write for a string.
func (c *comparison) WriteString(s string) (int, error) { return compare(c, s) }

func compare[T string | []byte](c *comparison, text T) (int, error) {
	for done := 0; done < len(text); {
		part := text[done:min(len(text), done+len(c.chunk))]
		is := c.chunk[:len(part)]
		if _, err := io.ReadFull(c.is, is); err != nil || string(is) != string(part) {
			return done, errDiffers
		}
		done += len(part)
	}
	return len(text), nil
}

// content is the text of a file at a path, read when it is written elsewhere.
type content string

// WriteTo writes the text.
func (c content) WriteTo(w io.Writer) (int64, error) {
	f, err := os.Open(string(c))
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // it is only read
	return io.Copy(w, f)
}

// Size is the length of the file, 0 if it cannot be read.
func (c content) Size() int {
	info, err := os.Stat(string(c))
	if err != nil {
		return 0
	}
	return int(info.Size())
}
