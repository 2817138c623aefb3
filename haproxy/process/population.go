package process

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// commLength is the longest name that the kernel keeps of a program (proc(5)).
const commLength = 15

// population returns the living processes of the given names on this machine, of any
// user. A check of a configuration is no HAProxy.
func population(names []string) []identity {
	named := func(id identity) bool {
		return slices.ContainsFunc(names, func(n string) bool { return id.name == n[:min(len(n), commLength)] })
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []identity
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if id, ok := identify(pid); ok && named(id) && !checks(pid) {
			out = append(out, id)
		}
	}
	return out
}

// checks reports whether a process of HAProxy only looks at a configuration or says
// its version.
func checks(pid int) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(bytes.Split(line, []byte{0}), func(word []byte) bool {
		return slices.Contains([]string{"-c", "-v", "-vv"}, string(word))
	})
}
