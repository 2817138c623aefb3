package apply

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"mlb/haproxy"
)

// candidateSuffix marks files that are written to be checked only.
const candidateSuffix = ".candidate"

// writeCandidate writes a configuration beside the one that serves, to be checked:
// its text, and the files whose texts differ from those that are there. The text
// names the candidates of these, line by line as it was (contract 7). remove takes
// all of it away again; it must be called, also after an error.
func (l *Loop) writeCandidate(d haproxy.Config) (path string, remove func(), err error) {
	var written []string
	remove = func() {
		for _, p := range written {
			l.before("remove " + p)
			if removeErr := os.Remove(p); removeErr != nil {
				l.log.Warn("checked file not removed", zap.Error(removeErr))
			}
		}
	}
	text := d.Text()
	for _, f := range d.Files {
		if holds(l.beside(f.Name), plain(f.Text)) {
			continue
		}
		candidate := l.beside(f.Name) + candidateSuffix
		if err = l.replace(candidate, plain(f.Text), fileMode); err != nil {
			return "", remove, err
		}
		written = append(written, candidate)
		text = haproxy.WithSuffix(text, filepath.Dir(l.cfg.File)+"/"+f.Name, candidateSuffix)
	}
	path = l.cfg.File + candidateSuffix
	if err = l.replace(path, plain(text), fileMode); err != nil {
		return "", remove, err
	}
	written = append(written, path)
	return path, remove, nil
}

// sweep removes what an mlb that was killed while it wrote has left: candidates, and
// temporary files beside the ones that were to be replaced (D45).
func (l *Loop) sweep() {
	targets := []string{l.cfg.File, l.loadedFile()}
	if l.cfg.ServerStateFile != "" {
		targets = append(targets, l.cfg.ServerStateFile)
	}
	for _, t := range targets {
		l.removeLeft(around(t))
	}
	l.removeLeft(slices.Concat(hidden(l.loadedFiles()), hidden(l.archiveDir())))
	loaded, err := l.readLoaded()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("leftovers not looked for", zap.Error(err))
	}
	l.sweepFiles(loaded.Files)
}

// sweepFiles is sweep for files of a configuration that it has not been done for.
func (l *Loop) sweepFiles(files []haproxy.File) {
	for _, f := range files {
		if !l.swept[f.Name] {
			l.swept[f.Name] = true
			l.removeLeft(around(l.beside(f.Name)))
		}
	}
}

func (l *Loop) removeLeft(paths []string) {
	for _, path := range paths {
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		l.before("remove " + path)
		if err := os.Remove(path); err != nil {
			l.log.Warn("leftover not removed", zap.Error(err))
		}
	}
}

// around returns what may have been left beside a file.
func around(path string) []string {
	candidate := path + candidateSuffix
	return slices.Concat(temporaries(path), temporaries(candidate), []string{candidate})
}

// hidden returns the hidden files of a folder that is mlb's alone, where no file that is
// to stay has such a name.
func hidden(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

// temporaries returns the files that replacing one has left: its name, hidden, with a
// number behind it.
func temporaries(path string) []string {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "."+base)
		if ok && number != "" && strings.Trim(number, "0123456789") == "" {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}
