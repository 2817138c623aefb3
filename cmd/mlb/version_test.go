package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionNamesCommitAndChanges(t *testing.T) {
	t.Parallel()
	cases := []struct {
		rule string
		info debug.BuildInfo
		want string
	}{
		{"a bare build", debug.BuildInfo{GoVersion: "go1.26"}, "mlb (devel) go1.26"},
		{"a release", debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: "v1.2.3"}}, "mlb v1.2.3 go1.26"},
		{"a changed tree", debug.BuildInfo{GoVersion: "go1.26", Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}}, "mlb (devel) commit abc with changes go1.26"},
	}
	for _, c := range cases {
		if got := describe(&c.info); got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
}
