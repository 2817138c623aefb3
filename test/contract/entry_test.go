package contract_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// list is the part of testdata/contract.json that the tests need.
type list struct {
	Flags  []struct{ Program, Long string }
	Env    []struct{ Name, Kind string }
	Labels []struct {
		Key, Reader string
	}
	Templates []struct {
		Name         string
		Placeholders []string
		Partial      []string `json:"partial_placeholders"`
	}
	Endpoints []struct {
		Port int
		Path string
	}
	Divergences []struct{ ID string }
	Quirks      []struct{ ID string }
}

// readList reads testdata/contract.json.
func readList(t *testing.T) list {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "contract.json"))
	if err != nil {
		t.Fatal(err)
	}
	var l list
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// entries returns what behaviours have to show, in the order of the list, in the form
// that their covers use: "flag --group", "env PORTS", "label HAPROXY_{n}_VHOST",
// "template HEAD", "placeholder BACKEND_HEAD mode", "endpoint 9090 /metrics", "D24".
// The numbered certificates are one entry. What only the deployment tool reads is not
// among them.
func (l list) entries() []string {
	var all []string
	numbered := regexp.MustCompile(`^HAPROXY_SSL_CERT\d+$`)
	certificates := 0
	for _, f := range l.Flags {
		if f.Program == "mlb" {
			all = append(all, "flag "+f.Long)
		}
	}
	for _, e := range l.Env {
		switch {
		case e.Kind == "internal":
		case numbered.MatchString(e.Name):
			certificates++
		default:
			all = append(all, "env "+e.Name)
		}
	}
	all = append(all, fmt.Sprintf("env HAPROXY_SSL_CERT0 … HAPROXY_SSL_CERT%d", certificates-1))
	for _, label := range l.Labels {
		if label.Reader != "zdd" {
			all = append(all, "label "+label.Key)
		}
	}
	for _, t := range l.Templates {
		all = append(all, "template "+t.Name)
	}
	for _, t := range l.Templates {
		for _, p := range slices.Concat(t.Placeholders, t.Partial) {
			all = append(all, "placeholder "+t.Name+" "+p)
		}
	}
	for _, e := range l.Endpoints {
		all = append(all, fmt.Sprintf("endpoint %d %s", e.Port, e.Path))
	}
	return append(all, l.ids()...)
}

// ids returns the ids of divergences and quirks that are mlb's, not the deployment
// tool's.
func (l list) ids() []string {
	var all []string
	for _, d := range l.Divergences {
		if n, err := strconv.Atoi(d.ID[1:]); err != nil || n < firstOfTool || n > lastOfTool {
			all = append(all, d.ID)
		}
	}
	for _, k := range l.Quirks {
		all = append(all, k.ID)
	}
	return all
}

// D53 to D61 are about the deployment tool.
const firstOfTool, lastOfTool = 53, 61
