package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load returns the files from which HAProxy takes certificates when it is given
// path, in HAProxy's order: path itself, its variants for kinds of keys
// (path.rsa, path.ecdsa, path.dsa) if there is no such file, or all of a folder in
// order of their names (HAProxy's manual, section 5.1, crt). A folder without any
// yields none, which HAProxy takes only if another path has one.
//
// The error joins one error for each file that HAProxy would refuse, and names
// it; ErrUnusable tells a wrong content from a file that cannot be read. The
// files are returned even then.
func Load(path string) ([]string, error) {
	files, err := list(path)
	if err != nil {
		return nil, fmt.Errorf("load certificates: %w", err)
	}
	var errs []error
	for _, f := range files {
		if err = checkPair(f); err != nil {
			errs = append(errs, fmt.Errorf("load certificate: %w", err))
		}
	}
	return files, errors.Join(errs...)
}

func list(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return variants(path, err)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		file := filepath.Join(path, e.Name())
		if ignored(e.Name()) {
			continue
		}
		if info, err = os.Stat(file); err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			files = append(files, file)
		}
	}
	return files, nil
}

// variants returns the files of a bundle; missing is the error if there is none.
func variants(path string, missing error) ([]string, error) {
	var files []string
	for _, kind := range []string{".rsa", ".ecdsa", ".dsa"} {
		if _, err := os.Stat(path + kind); err == nil {
			files = append(files, path+kind)
		}
	}
	if len(files) == 0 {
		return nil, missing
	}
	return files, nil
}

// ignored reports whether HAProxy passes over a file of this name in a folder.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") ||
		slices.Contains([]string{".key", ".issuer", ".ocsp", ".sctl"}, filepath.Ext(name))
}
