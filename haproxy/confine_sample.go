package haproxy

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// confinedSamples checks the sample fetches and converters that are called in a
// word (HAProxy's manual, section 7): none that reads the environment, files or
// variables of the process, runs Lua, or looks into another service's section.
func confinedSamples(word string, p Place, maps bool) error {
	// Those of Lua may stand without parentheses.
	bare := strings.HasPrefix(word, "lua.") && !slices.Contains(p.Hosts, strings.ToLower(word))
	if bare || strings.Contains(word, "[lua.") || strings.Contains(word, ",lua.") {
		return refuse("sample %q", word)
	}
	for i, c := range word {
		if c != '(' {
			continue
		}
		name := word[len(strings.TrimRightFunc(word[:i], isSampleName)):i]
		if err := confinedSample(name, arguments(word[i+1:]), p, maps); err != nil {
			return err
		}
	}
	return nil
}

func isSampleName(r rune) bool {
	return isAlphanumeric(r) || strings.ContainsRune("_.:-", r)
}

// arguments cuts what follows an opening parenthesis into arguments, quotes taken
// off.
func arguments(rest string) []string {
	inside, _, _ := strings.Cut(rest, ")")
	args := strings.Split(inside, ",")
	for i, a := range args {
		args[i] = strings.Trim(a, ` "'`)
	}
	return args
}

func confinedSample(name string, args []string, p Place, maps bool) error {
	switch {
	case name == "env" || strings.HasPrefix(name, "lua."),
		strings.HasPrefix(name, "jwt_verify"), strings.HasPrefix(name, "jwt_decrypt"):
		return refuse("sample %s", name)
	case name == "map" || strings.HasPrefix(name, "map_"):
		if !maps || !p.knowsMap(args) {
			return refuse("map %q", args[0])
		}
	case strings.HasSuffix(name, "var") || strings.HasSuffix(name, "var-fmt"):
		if strings.HasPrefix(args[0], "proc.") {
			return refuse("variable %q of the process", args[0])
		}
	case name == "http_auth" || name == "http_auth_group":
		if args[0] != "user_"+p.Backend {
			return refuse("user list %q (wanted: user_%s)", args[0], p.Backend)
		}
	case namesSection(name):
		for _, a := range args {
			if _, err := strconv.Atoi(a); err != nil && a != "" && a != p.Backend && !strings.HasPrefix(a, p.Backend+"/") {
				return refuse("sample %s of %q (wanted: %s)", name, a, p.Backend)
			}
		}
	}
	return nil
}

// knowsMap reports whether the arguments of a map converter are one of the two maps
// that a label may use, and as a default nothing but the service's backend.
func (p Place) knowsMap(args []string) bool {
	known := []string{path.Join(p.MapDir, "domain2backend.map"), path.Join(p.MapDir, "app2backend.map")}
	return slices.Contains(known, args[0]) && (len(args) == 1 || len(args) == 2 && args[1] == p.Backend)
}

// namesSection reports whether a sample takes the name of a section, a server or a
// stick table.
func namesSection(name string) bool {
	switch name {
	case "nbsrv", "queue", "avg_queue", "connslots", "in_table", "stick_table":
		return true
	}
	for _, prefix := range []string{"be_", "fe_", "srv_", "src_", "sc_", "sc0_", "sc1_", "sc2_", "table_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
