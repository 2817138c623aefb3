package render

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"mlb/haproxy"
)

// Names of the map files of contract 5.5.
const (
	domainMap = "domain2backend.map"
	appMap    = "app2backend.map"
)

// How a frontend knows the host that a request is for (contract 8, D25).
const (
	hostHeader = "req.fhdr(host),host_only"
	hostSNI    = "ssl_fc_sni"
	appHeader  = "req.fhdr(x-marathon-app-id)"
)

// mapText writes a map file, one "key value" a line.
func mapText(pairs [][2]string) string {
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString(p[0])
		b.WriteByte(' ')
		b.WriteString(p[1])
		b.WriteByte('\n')
	}
	return b.String()
}

// lookups writes the rules that look hosts and paths up, with the map files that
// they read. The one look-up for paths comes first: of the two matches it is the
// one that an earlier rule would have given (see arrange).
//
// A Host header that holds a slash must not pass for host and path.
type lookups struct {
	r *Renderer
	// name begins the names of the files, fetch is the sample fetch for the host.
	name, fetch string
	files       []haproxy.File
	segments    int
	path        bool // the variable that holds the path has been set
}

func (l *lookups) segment(entries []entry) string {
	var hosts, paths [][2]string
	for _, e := range entries {
		if e.prefix == "" {
			hosts = append(hosts, [2]string{e.host, e.backend})
			continue
		}
		paths = append(paths, [2]string{e.host + e.prefix, e.backend})
	}
	var b strings.Builder
	defer func() { l.segments++ }()
	if len(paths) > 0 {
		if !l.path {
			b.WriteString("  http-request set-var(txn.mlb_path) path\n")
			l.path = true
		}
		find := l.fetch + ",lower,concat(,txn.mlb_path),map_beg(" + l.file("paths", paths) + ")"
		b.WriteString(useFound(find, " !{ "+l.fetch+" -m sub / }"))
	}
	if len(hosts) > 0 {
		b.WriteString(useFound(l.fetch+",lower,map("+l.file("hosts", hosts)+")", ""))
	}
	return b.String()
}

// useFound writes the rule that uses the backend that find gives, and else leaves the
// request to the next rule. The condition keeps what it has found: looking it up is
// the work.
func useFound(find, condition string) string {
	return "  use_backend %[var(txn.mlb_backend)] if { " + find + ",set-var(txn.mlb_backend) -m found }" + condition + "\n"
}

// file adds a map file and returns its path.
func (l *lookups) file(kind string, pairs [][2]string) string {
	name := "mlb_" + l.name + "_" + kind + "_" + strconv.Itoa(l.segments) + ".map"
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	l.files = append(l.files, haproxy.File{Name: name, Text: mapText(pairs)})
	return path.Join(l.r.frame.MapDir, name)
}

// firstOf keeps the first pair of each key.
func firstOf(pairs [][2]string) [][2]string {
	seen := make(map[string]bool, len(pairs))
	return slices.DeleteFunc(pairs, func(p [2]string) bool {
		double := seen[p[0]]
		seen[p[0]] = true
		return double
	})
}
