package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"mlb/haproxy"
)

// ErrFileName is returned for a file of a configuration that could not stand beside the
// configuration. Trying again does not help.
var ErrFileName = errors.New("not the plain name of another file")

// checkNames refuses names of files that lead elsewhere.
func (l *Loop) checkNames(d haproxy.Config) error {
	seen := map[string]bool{filepath.Base(l.cfg.File): true}
	for _, f := range d.Files {
		if seen[f.Name] || f.Name != filepath.Base(f.Name) || strings.HasPrefix(f.Name, ".") {
			return fmt.Errorf("file %q beside the configuration: %w", f.Name, ErrFileName)
		}
		seen[f.Name] = true
	}
	return nil
}

// beside returns where a file of a configuration stands.
func (l *Loop) beside(name string) string { return filepath.Join(filepath.Dir(l.cfg.File), name) }

// replaced is what a file was before it was written.
type replaced struct {
	path string
	// before is its text; nil: it was not there.
	before text
}

// writeFiles writes what differs from what is there: first the files that the text
// reads, then the configuration file. It returns what was replaced, also with an
// error, for restore.
func (l *Loop) writeFiles(d haproxy.Config) (previous []replaced, err error) {
	l.awaitFlush()
	if c := l.checking.now; c != nil {
		c.stale = true
	}
	return l.store(d)
}

// store is writeFiles for one goroutine of any. It reads nothing but the configuration
// of the loop.
func (l *Loop) store(d haproxy.Config) (previous []replaced, err error) {
	for _, f := range d.Files {
		if previous, err = l.write(previous, l.beside(f.Name), plain(f.Text)); err != nil {
			return previous, err
		}
	}
	return l.write(previous, l.cfg.File, d)
}

// write replaces one file if its text is another, and keeps what it was.
func (l *Loop) write(previous []replaced, path string, text text) ([]replaced, error) {
	if holds(path, text) {
		return previous, nil
	}
	was := replaced{path, l.setAside(path)}
	if err := l.replace(path, text, fileMode); err != nil {
		l.release(was)
		return previous, err
	}
	return append(previous, was), nil
}

// restore puts back what was replaced, the configuration file first.
func (l *Loop) restore(previous []replaced) {
	for _, p := range slices.Backward(previous) {
		var err error
		if p.before == nil {
			l.before("remove " + p.path)
			err = os.Remove(p.path)
		} else {
			err = l.replace(p.path, p.before, fileMode)
		}
		if err != nil {
			l.log.Error("previous file not restored", zap.Error(err))
		}
		l.release(p)
	}
}

// readFiles reads what is on disk, whoever wrote it. Which files the configuration
// reads is known from what was loaded last and from what was asked for; one that is
// not there is left out.
func (l *Loop) readFiles() (haproxy.Config, error) {
	l.awaitFlush()
	text, err := os.ReadFile(l.cfg.File)
	if err != nil {
		return haproxy.Config{}, fmt.Errorf("read file of haproxy: %w", err)
	}
	var files []haproxy.File
	for _, f := range slices.Concat(l.loaded.Files, l.desired.Files) {
		known := slices.ContainsFunc(files, func(o haproxy.File) bool { return o.Name == f.Name })
		if now, err := os.ReadFile(l.beside(f.Name)); err == nil && !known {
			files = append(files, haproxy.File{Name: f.Name, Text: string(now)})
		}
	}
	return haproxy.Parse(string(text)).WithFiles(files), nil
}

// loadedFile holds the text that HAProxy was started with, loadedFiles the files that
// it read then.
func (l *Loop) loadedFile() string  { return filepath.Join(l.cfg.StateDir, "loaded.cfg") }
func (l *Loop) loadedFiles() string { return filepath.Join(l.cfg.StateDir, "loaded.files") }

// writeLoaded keeps what HAProxy was started with. If it is not finished, what is on
// disk differs from it, and the next mlb reloads.
func (l *Loop) writeLoaded(d haproxy.Config) error {
	kept, err := os.ReadDir(l.loadedFiles())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read kept files: %w", err)
	}
	if len(d.Files) > 0 {
		if err := os.MkdirAll(l.loadedFiles(), 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	for _, f := range d.Files {
		if err := l.replace(filepath.Join(l.loadedFiles(), f.Name), plain(f.Text), 0o600); err != nil {
			return err
		}
	}
	for _, e := range kept {
		if !slices.ContainsFunc(d.Files, func(f haproxy.File) bool { return f.Name == e.Name() }) {
			l.before("remove " + filepath.Join(l.loadedFiles(), e.Name()))
			if err := os.Remove(filepath.Join(l.loadedFiles(), e.Name())); err != nil {
				return fmt.Errorf("remove kept file: %w", err)
			}
		}
	}
	return l.replace(l.loadedFile(), d, 0o600)
}

// readLoaded reads what HAProxy was last started with.
func (l *Loop) readLoaded() (haproxy.Config, error) {
	text, err := os.ReadFile(l.loadedFile())
	if err != nil {
		return haproxy.Config{}, fmt.Errorf("read loaded configuration: %w", err)
	}
	d := haproxy.Parse(string(text))
	kept, err := os.ReadDir(l.loadedFiles())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("read loaded files: %w", err)
	}
	var files []haproxy.File
	for _, e := range kept {
		if strings.HasPrefix(e.Name(), ".") { // its writer was killed
			continue
		}
		b, err := os.ReadFile(filepath.Join(l.loadedFiles(), e.Name()))
		if err != nil {
			return d, fmt.Errorf("read loaded files: %w", err)
		}
		files = append(files, haproxy.File{Name: e.Name(), Text: string(b)})
	}
	return d.WithFiles(files), nil
}
