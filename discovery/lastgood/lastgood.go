// Package lastgood keeps what a source last said in a file, so that a process that
// starts while the source is down or talks nonsense knows what there was.
package lastgood

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"mlb/discovery"
)

// version is that of the file's form; a file of another one is not read.
const version = 1

// maxFile is the largest file that is read, in bytes.
const maxFile = 1 << 30

// buffer is how much is read and written at once, in bytes.
const buffer = 1 << 16

// fileMode keeps passwords in labels from other users.
const fileMode fs.FileMode = 0o600

// header is the first line of the file. A line for each service follows, and the sum of
// all these lines: a state of many services is never in memory as a text.
type header struct {
	Version int       `json:"version"`
	Read    time.Time `json:"read"`
	Source  string    `json:"source"`
	Terms   string    `json:"terms"`
}

// ErrDamaged is returned for a file that Write has not written as it is.
var ErrDamaged = errors.New("file is damaged")

// errNoFile is returned for what is no file that could have been written here.
var errNoFile = errors.New("not a regular file")

// Path returns the file of a cluster in the folder for what is kept; the name of the one
// cluster that has none is empty.
func Path(dir, cluster string) string {
	name := "last-good.json"
	if cluster != "" {
		name = "last-good." + cluster + ".json"
	}
	return filepath.Join(dir, name)
}

// Read returns what Write wrote. Without a file, or with one in the form of another
// version of mlb, it is the zero value. The error is ErrDamaged if the file is not whole.
func Read(path string) (discovery.LastGood, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return discovery.LastGood{}, nil
	case err != nil:
		return discovery.LastGood{}, fmt.Errorf("read last good state: %w", err)
	case !info.Mode().IsRegular(): // one that never ends, or never begins, would stop the start
		return discovery.LastGood{}, fmt.Errorf("read last good state: %s: %w", path, errNoFile)
	case info.Size() > maxFile:
		return discovery.LastGood{}, fmt.Errorf("read last good state: %s has %d bytes, more than %d", path, info.Size(), maxFile)
	}
	file, err := os.Open(path)
	if err != nil {
		return discovery.LastGood{}, fmt.Errorf("read last good state: %w", err)
	}
	defer func() { _ = file.Close() }()
	state, err := decode(bufio.NewReaderSize(file, buffer))
	if err != nil {
		return discovery.LastGood{}, fmt.Errorf("read last good state: %s: %w", path, err)
	}
	return state, nil
}

// decode reads what encode wrote.
func decode(r *bufio.Reader) (discovery.LastGood, error) {
	sum := sha256.New()
	line, err := r.ReadBytes('\n')
	if err != nil {
		return discovery.LastGood{}, damaged(err)
	}
	var h header
	if err = json.Unmarshal(line, &h); err != nil {
		return discovery.LastGood{}, damaged(err)
	}
	if h.Version != version {
		return discovery.LastGood{}, nil
	}
	state := discovery.LastGood{Read: h.Read, Source: h.Source, Terms: h.Terms}
	for {
		_, _ = sum.Write(line) // a hash takes everything
		line, err = r.ReadBytes('\n')
		switch {
		case err != nil:
			return discovery.LastGood{}, damaged(err)
		case line[0] == '{':
			var service discovery.Service
			if err = json.Unmarshal(line, &service); err != nil {
				return discovery.LastGood{}, damaged(err)
			}
			state.Services = append(state.Services, service)
			continue
		}
		if _, err = r.ReadByte(); string(line) != last(sum) || !errors.Is(err, io.EOF) {
			return discovery.LastGood{}, ErrDamaged
		}
		return state, nil
	}
}

// damaged says that a file could not be read, and where.
func damaged(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

// last returns the last line of a file.
func last(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil)) + "\n" }

// Write replaces the file so that it is complete or as before, also after a power
// failure. Its folder must exist.
func Write(path string, state discovery.LastGood) error {
	if err := write(path, state); err != nil {
		return fmt.Errorf("write last good state: %w", err)
	}
	return nil
}

func write(path string, state discovery.LastGood) error {
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(fileMode))
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }()
	w := bufio.NewWriterSize(file, buffer)
	if err = encode(w, state); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}

// encode writes the lines of a file.
func encode(w io.Writer, state discovery.LastGood) error {
	sum := sha256.New()
	both := json.NewEncoder(io.MultiWriter(w, sum))
	if err := both.Encode(header{version, state.Read, state.Source, state.Terms}); err != nil {
		return err
	}
	for i := range state.Services {
		if err := both.Encode(&state.Services[i]); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, last(sum))
	return err
}

// cleanUp removes what a process has left that was killed while it wrote.
func cleanUp(path string) {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "."+base)
		if ok && number != "" && strings.Trim(number, "0123456789") == "" {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next one tries again
		}
	}
}
