// Package lastgood keeps what a source last said in a file, so that a process that
// starts while the source is down or talks nonsense knows what there was.
package lastgood

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"mlb/discovery"
)

// version is that of the file's form; a file of another one is not read.
const version = 1

// maxFile is the largest file that is read, in bytes.
const maxFile = 1 << 30

// fileMode keeps passwords in labels from other users.
const fileMode fs.FileMode = 0o600

// document is the first line of the file; the second one is the sum of the first.
type document struct {
	Version int                `json:"version"`
	State   discovery.LastGood `json:"state"`
}

// ErrDamaged is returned for a file that Write has not written as it is.
var ErrDamaged = errors.New("file is damaged")

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
	case info.Size() > maxFile:
		return discovery.LastGood{}, fmt.Errorf("read last good state: %s has %d bytes, more than %d", path, info.Size(), maxFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return discovery.LastGood{}, fmt.Errorf("read last good state: %w", err)
	}
	line, sum, _ := bytes.Cut(text, []byte("\n"))
	if string(bytes.TrimSuffix(sum, []byte("\n"))) != checksum(line) {
		return discovery.LastGood{}, fmt.Errorf("read last good state: %s: %w", path, ErrDamaged)
	}
	var form struct {
		Version int `json:"version"`
	}
	if err = json.Unmarshal(line, &form); err != nil {
		return discovery.LastGood{}, fmt.Errorf("read last good state: %s: %w", path, err)
	}
	if form.Version != version {
		return discovery.LastGood{}, nil
	}
	var d document
	if err = json.Unmarshal(line, &d); err != nil {
		return discovery.LastGood{}, fmt.Errorf("read last good state: %s: %w", path, err)
	}
	return d.State, nil
}

// Write replaces the file so that it is complete or as before, also after a power
// failure. Its folder must exist.
func Write(path string, state discovery.LastGood) error {
	line, err := json.Marshal(document{version, state})
	if err != nil {
		return fmt.Errorf("write last good state: %w", err)
	}
	text := slices.Concat(line, []byte("\n"+checksum(line)+"\n"))
	if err = renameio.WriteFile(path, text, fileMode, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(fileMode)); err != nil {
		return fmt.Errorf("write last good state: %w", err)
	}
	return nil
}

func checksum(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}
