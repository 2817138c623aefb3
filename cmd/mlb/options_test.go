package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contract is what marathon-lb's flags and variables are.
type contract struct {
	Flags []contractFlag
	Env   []struct {
		Name    string
		Kind    string
		Default *string
	}
}

// contractFlag is one flag of marathon-lb.
type contractFlag struct {
	Long    string
	Short   *string
	Arity   string
	Default any
}

// readContract reads marathon-lb's flags and variables.
func readContract(t *testing.T) contract {
	t.Helper()
	text, err := os.ReadFile("testdata/contract.json")
	if err != nil {
		t.Fatal(err)
	}
	var c contract
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOptionsCoverTheContract(t *testing.T) {
	t.Parallel()
	arities := map[arity]string{takesNone: "0", takesOne: "1", takesEach: "1", takesMany: "1+"}
	var want, got []string
	for _, f := range readContract(t).Flags {
		short, def := "", ""
		if f.Short != nil {
			short = strings.TrimPrefix(*f.Short, "-")
		}
		switch d := f.Default.(type) {
		case []any:
			if len(d) > 0 {
				def = fmt.Sprint(d[0])
			}
		case nil, bool:
		default:
			def = fmt.Sprint(d)
		}
		want = append(want, fmt.Sprintf("%s|%s|%s|%s", f.Long, short, f.Arity, def))
	}
	for _, o := range options() {
		def := o.def
		switch o.name {
		case "ssl-certs":
			def = "/etc/ssl/cert.pem" // computed from --ssl-dir
		case "dcos-auth-credentials":
			def = "env:" + o.env
		}
		if !o.own {
			got = append(got, fmt.Sprintf("--%s|%s|%s|%s", o.name, o.short, arities[o.arity], def))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags (-contract +table):\n%s", diff)
	}
}

func TestVariablesCoverTheContract(t *testing.T) {
	t.Parallel()
	manual := configurationManual()
	for _, e := range readContract(t).Env {
		if number := strings.TrimPrefix(e.Name, certificateVariable); number != e.Name && number != "" && number != "0" && number != "100" {
			continue // described by the first and the last
		}
		if !strings.Contains(manual, "`"+e.Name+"`") {
			t.Errorf("%s is not described", e.Name)
		}
	}
}

func TestOptionsAreSound(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	unique := func(name string) {
		if name != "" && seen[name] {
			t.Errorf("%s is used twice", name)
		}
		seen[name] = true
	}
	for _, o := range options() {
		unique("--" + o.name)
		unique(o.variable())
		if o.short != "" {
			unique("-" + o.short)
		}
		if len(o.short) > 1 || o.short != "" && o.own {
			t.Errorf("--%s: -%s is not possible", o.name, o.short)
		}
		if (o.arg == "") != (o.arity == takesNone) {
			t.Errorf("--%s: a word for the value, and a value, go together", o.name)
		}
		if !slices.Contains(topics(), o.topic) {
			t.Errorf("--%s: unknown topic %q", o.name, o.topic)
		}
		if !strings.HasSuffix(o.doc, ".") {
			t.Errorf("--%s: its text is no sentence: %q", o.name, o.doc)
		}
		for _, def := range []string{o.def, o.container} {
			var d draft
			if def == "" {
				continue
			}
			if err := o.bind(&d).Set(def); err != nil {
				t.Errorf("--%s: default %q: %v", o.name, def, err)
			}
		}
	}
}

// HAProxy takes no relative socket, and somebody else's runs in a directory of its own.
func TestPlacesInTheConfigurationAreAbsolute(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cfg := load(t, []string{"MLB_SOCKET_DIR=run"}, "--haproxy-config", "haproxy.cfg", "--server-state-dir", "./servers", "--ssl-dir", "../ssl")
	got := []string{cfg.HAProxyConfig, cfg.HAProxyDir(), cfg.SocketDir, cfg.ServerStateDir, cfg.Certificates.List[0]}
	want := []string{here + "/haproxy.cfg", here, here + "/run", here + "/servers", filepath.Dir(here) + "/ssl/cert.pem"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	// What is absolute stays as it was written.
	if cfg = load(t, nil, "--haproxy-config", "/x//y/"); cfg.HAProxyConfig != "/x//y/" {
		t.Errorf("configuration %s", cfg.HAProxyConfig)
	}
}
