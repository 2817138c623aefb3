package contract_test

import (
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// programStage shows what the program does without a balancer that runs.
func programStage() stage {
	return stage{
		name: "program", idle: true,
		behaviours: []behaviour{
			{
				name:   "--help prints every flag and ends well",
				covers: []string{"flag --help"},
				show: func(t *testing.T, s scene) {
					for _, word := range []string{"--help", "-h"} {
						out, status := run(t, s, word)
						if status != 0 {
							t.Errorf("%s: status %d", word, status)
						}
						for _, entry := range readList(t).entries() {
							if flag, ok := strings.CutPrefix(entry, "flag "); ok && !strings.Contains(out, flag) {
								t.Errorf("%s does not name %s", word, flag)
							}
						}
					}
				},
			},
			{
				name:   "--longhelp is a manual with a heading for each template and label, and needs no group",
				covers: []string{"flag --longhelp"},
				show: func(t *testing.T, s scene) {
					out, status := run(t, s, "--longhelp")
					if status != 0 {
						t.Errorf("status %d", status)
					}
					var headings []string
					for _, m := range regexp.MustCompile("(?m)^## `(HAPROXY_[^`]*)`$").FindAllStringSubmatch(out, -1) {
						headings = append(headings, m[1])
					}
					for _, entry := range readList(t).entries() {
						kind, name, _ := strings.Cut(entry, " ")
						want := ""
						switch kind {
						case "template":
							want = "HAPROXY_" + name
						case "label":
							want = name
						}
						plain := strings.Replace(want, "{n}_", "", 1)
						if want != "" && !slices.Contains(headings, want) && !slices.Contains(headings, plain) {
							t.Errorf("no heading for %s", want)
						}
					}
				},
			},
		},
	}
}

// run runs the program in the scene's folder and returns what it wrote and its exit
// status.
func run(t *testing.T, s scene, args ...string) (output string, status int) {
	t.Helper()
	out, err := s.Prepare(t.Context(), args...).CombinedOutput()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), ended.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}
