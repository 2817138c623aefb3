package haproxy_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/reloads.md")

// reloadCase is a row of docs/reloads.md: a change, and what a user can do about its
// reload.
type reloadCase struct {
	change, remedy   string
	running, desired string
	// was and is are the texts of the map m.map; both empty: there is none.
	was, is string
}

// withMap is a text with a frontend that looks up m.map.
func withMap(rest string) string {
	return "frontend f\n use_backend %[hdr(host),map_beg(/d/m.map)]\n" + rest
}

// taskChanges are the changes of tasks that reload HAProxy in some version.
func taskChanges() []reloadCase {
	const cookie = "cookie C insert indirect nocache"
	return []reloadCase{
		{
			"A task of a sticky service comes (`HAPROXY_{n}_STICKY`)", "HAProxy 3.0 or later",
			backend(cookie, srvA+" cookie a"), backend(cookie, srvA+" cookie a", srvB+" cookie b"), "", "",
		},
		{
			"A task comes in a backend whose cookie line has `dynamic`", "`HAPROXY_{n}_STICKY` instead, with HAProxy 3.0; HAProxy 3.4",
			backend(cookie+" dynamic", srvA), backend(cookie+" dynamic", srvA, srvB), "", "",
		},
		{
			"A task comes, and its server has an option of the table below, or one that mlb does not know", "a server template without it",
			backend(srvA + " resolvers r"), backend(srvA+" resolvers r", srvB+" resolvers r"), "", "",
		},
		{
			"A task comes, and the value of an option has a blank, a quote, a backslash, `;`, `#` or `<`", "another way to say it, such as `sni req.hdr(host)`",
			backend(srvA + ` sni "str(a b)"`), backend(srvA+` sni "str(a b)"`, srvB+` sni "str(a b)"`), "", "",
		},
		{
			"The options of a server that is there change: another health check, another server template", "nothing; it is one reload for each change of the app, not of its tasks",
			backend(srvA + " check inter 2s"), backend(srvA + " check inter 5s"), "", "",
		},
		{
			"The weight of a server becomes another than 0 to 256", "weights within the range",
			backend(srvA + " weight 1"), backend(srvA + " weight 300"), "", "",
		},
		{
			"A task goes whose server a `use-server`, a `track` or a sample fetch `srv_…` names", "templates that name no server",
			backend("use-server a if x", srvA, srvB), backend("use-server a if x", srvB), "", "",
		},
		{
			"A task comes in a section with `server-template` or `dispatch`", "a backend head without it",
			backend("server-template s 3 h:80", srvA), backend("server-template s 3 h:80", srvA, srvB), "", "",
		},
		{
			"The backend's other lines depend on its tasks: a template for the whole backend has `{healthCheckPort}`", "the placeholder in the server's template only",
			backend("tcp-check connect port 31001", srvA), backend("tcp-check connect port 31002", srvB), "", "",
		},
		{
			"A server's address is no literal one", "nothing: mlb itself looks names up and writes addresses",
			backend(srvA), backend(srvA, "server b db.example.com:1"), "", "",
		},
		{
			"A server's name stands twice, or HAProxy does not take it", "nothing: mlb's own names are neither",
			backend(srvA), backend(srvA, srvB, srvB), "", "",
		},
	}
}

// serviceChanges are the changes of services and of everything else.
func serviceChanges() []reloadCase {
	const a, b = "backend a\n", "backend b\n"
	return []reloadCase{
		{"A service is new, or has another service port", "nothing; apps that come together share a reload", a, a + b, "", ""},
		{
			"A service goes: its app is gone, or all its tasks for longer than `--empty-service-timeout`", "a longer time, if apps often have no task",
			a + b, a, "", "",
		},
		{"A line changes that is no server: by a label, a template, a flag of mlb, a certificate", "nothing", backend("mode tcp"), backend("mode http"), "", ""},
		{
			"A virtual host, path or app ID comes, goes or moves, and its service has rules of its own: a password, a redirect, match flags of a path, templates for rules", "services without these are in maps",
			"frontend f\n use_backend a if { hdr(host) x }\n" + a, "frontend f\n use_backend a if { hdr(host) y }\n" + a, "", "",
		},
		{"An entry of a map leads to a service that is new", "nothing; the service reloads anyway", withMap(a), withMap(a + b), "x a\n", "x b\n"},
		{
			"A map changes that a template reads by other look-ups than `map`, `map_str` and `map_beg`", "these look-ups",
			"frontend f\n use_backend %[hdr(host),map_reg(/d/m.map)]\n" + a + b, "frontend f\n use_backend %[hdr(host),map_reg(/d/m.map)]\n" + a + b, "x a\n", "x b\n",
		},
		{"A map changes together with a section that reads it", "nothing", withMap(a + b), "frontend f\n mode http\n use_backend %[hdr(host),map_beg(/d/m.map)]\n" + a + b, "x a\n", "x b\n"},
		{"Sections stand in another order", "nothing: mlb's own order is fixed", a + b, b + a, "", ""},
	}
}

// reloadVersions are the branches of HAProxy that the tables are about.
func reloadVersions() []haproxy.Version {
	return []haproxy.Version{version(2, 6), version(3, 0), version(3, 2)}
}

// reloads says which reasons for a reload the change has, and in which versions if not
// in all.
func (c reloadCase) reloads(t *testing.T) string {
	t.Helper()
	texts := [2]haproxy.Config{parse(t, c.running), parse(t, c.desired)}
	if c.was+c.is != "" {
		texts[0] = texts[0].WithFiles([]haproxy.File{{Name: "m.map", Text: c.was}})
		texts[1] = texts[1].WithFiles([]haproxy.File{{Name: "m.map", Text: c.is}})
	}
	var found []string
	in := map[string][]string{}
	for _, v := range reloadVersions() {
		var here []string
		for _, r := range haproxy.Diff(texts[0], texts[1], v).Reasons {
			here = append(here, "`"+r.Code+"`")
		}
		for _, code := range slices.Compact(here) {
			if in[code] == nil {
				found = append(found, code)
			}
			in[code] = append(in[code], v.String())
		}
	}
	for i, code := range found {
		if len(in[code]) < len(reloadVersions()) {
			found[i] += " (" + strings.Join(in[code], ", ") + ")"
		}
	}
	if len(found) == 0 {
		return "no"
	}
	return strings.Join(found, ", ")
}

// caseTable is the table of changes. Each is one that reloads HAProxy in some version.
func caseTable(t *testing.T, cases []reloadCase) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| Change | Reload | What to do |\n|---|---|---|\n")
	for _, c := range cases {
		reloads := c.reloads(t)
		if reloads == "no" {
			t.Errorf("no reload: %s", c.change)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.change, reloads, c.remedy)
	}
	return b.String()
}

// balanceTable says for each algorithm what a change of a task is.
func balanceTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| Algorithm | A task comes | goes | drains, or is back | has another weight | another address |\n|---|---|---|---|---|---|\n")
	hashes := []string{"source", "uri", "url_param id", "hdr(host)", "rdp-cookie"}
	for _, row := range []struct {
		name  string
		lines []string // each is a way to say it; all have the same effects
	}{
		{"`roundrobin`, `leastconn`, `first`, `random`", []string{"", "balance roundrobin", "balance leastconn", "balance first", "balance random", "balance random(2)"}},
		{"`source`, `uri`, `url_param`, `hdr`, `rdp-cookie` with `hash-type consistent`", withEach(hashes, "\n hash-type consistent")},
		{"the same without it, or with `hash-type map-based`", slices.Concat(withEach(hashes, ""), withEach(hashes, "\n hash-type map-based"))},
		{"`static-rr`", []string{"balance static-rr"}},
	} {
		b.WriteString("| " + row.name)
		for _, change := range [][2]string{
			{srvA, srvA + "\n " + srvB},
			{srvA + "\n " + srvB, srvA},
			{srvA, srvA + " disabled"},
			{srvA, srvA + " weight 5"},
			{srvA, "server a 10.0.0.9:9"},
		} {
			cell := ""
			for _, line := range row.lines {
				got := reloadCase{running: backend(line, change[0]), desired: backend(line, change[1])}.reloads(t)
				if cell != "" && got != cell {
					t.Errorf("%q: %s, another of its row: %s", line, got, cell)
				}
				cell = got
			}
			b.WriteString(" | " + cell)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

func withEach(hashes []string, rest string) []string {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		out[i] = "balance " + h + rest
	}
	return out
}

// optionTable groups the options of servers with which a new one reloads HAProxy by
// the versions in which it does.
func optionTable(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("keyword.go")
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?s)func option\(.*?\n}\n`).Find(source)
	groups := map[string][]string{}
	for _, found := range regexp.MustCompile(`"([a-z][a-z0-9-]*)"`).FindAllSubmatch(body, -1) {
		name := string(found[1])
		line := srvB + " " + name + " 1"
		if parse(t, backend(line)).Sections.At(0).Servers[0].Keywords[0].Unknown {
			line = srvB + " " + name // it takes no value
		}
		reloads := reloadCase{running: backend(srvA), desired: backend(srvA, line)}.reloads(t)
		groups[reloads] = append(groups[reloads], "`"+name+"`")
	}
	delete(groups, "no")
	var b strings.Builder
	b.WriteString("| Options | Reload when a server with one comes |\n|---|---|\n")
	var rows []string
	for reloads, names := range groups {
		slices.Sort(names)
		rows = append(rows, fmt.Sprintf("| %s | %s |\n", strings.Join(names, ", "), reloads))
	}
	slices.Sort(rows)
	b.WriteString(strings.Join(rows, ""))
	return b.String()
}

// The tables of docs/reloads.md are what Diff says.
func TestReloadsDocumentIsInStep(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "docs", "reloads.md")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	want := text
	for name, table := range map[string]string{
		"balance": balanceTable(t), "tasks": caseTable(t, taskChanges()), "options": optionTable(t), "services": caseTable(t, serviceChanges()),
	} {
		place := regexp.MustCompile(`(?s)(<!-- table: ` + name + ` -->\n).*?(<!-- end -->)`)
		if len(place.FindAllString(want, -1)) != 1 {
			t.Fatalf("%s has no place for the table %s", file, name)
		}
		want = place.ReplaceAllString(want, "${1}\n"+strings.ReplaceAll(table, "$", "$$")+"\n${2}")
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("docs/reloads.md is not what Diff says; run this test with -update (-want +got):\n%s", diff)
	}
}
