package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// Version describes this build in one line: the module's version, the commit
// it was built from when known, and the Go release. It comes from what the Go
// tool stores in every binary; there is no variable to set.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "mlb (unknown build)"
	}
	return describe(info)
}

// writeVersion prints Version to w.
func writeVersion(w io.Writer) error {
	_, err := fmt.Fprintln(w, Version())
	return err
}

// describe is Version for a given record of a build.
func describe(info *debug.BuildInfo) string {
	var b strings.Builder
	b.WriteString("mlb ")
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	b.WriteString(version)
	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		b.WriteString(" commit " + revision)
		if settings["vcs.modified"] == "true" {
			b.WriteString(" with changes")
		}
	}
	b.WriteString(" " + info.GoVersion)
	return b.String()
}
