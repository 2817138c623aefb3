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

// lookups writes the rules that look host and path up, with the map files that they
// read. A key is a host, a bar, and what the path has to begin with; the longest key
// that fits is the one that an earlier rule would have given (see arrange). A Host
// header that holds a bar must not pass for host and path, and a request without a
// path, as OPTIONS may be, has nothing behind it.
type lookups struct {
	r *Renderer
	// name begins the names of the files, fetch is the sample fetch for the host.
	name, fetch string
	files       []haproxy.File
}

func (l *lookups) segment(entries []entry) string {
	if len(entries) == 0 {
		return ""
	}
	before := ""
	if len(l.files) == 0 {
		before = "  http-request set-var(txn.mlb_path) path\n"
	}
	pairs := make([][2]string, len(entries))
	for i, e := range entries {
		pairs[i] = [2]string{e.host + "|" + e.prefix, e.backend}
	}
	find := l.fetch + ",lower,concat(|,txn.mlb_path),map_beg(" + l.file(strconv.Itoa(len(l.files)), pairs) + ")"
	return before + useFound(find, " !{ "+l.fetch+" -m sub | }")
}

// useFound writes the rule that uses the backend that find gives, and else leaves the
// request to the next rule. The condition keeps what it has found: looking it up is
// the work.
func useFound(find, condition string) string {
	return "  use_backend %[var(txn.mlb_backend)] if { " + find + ",set-var(txn.mlb_backend) -m found }" + condition + "\n"
}

// file adds a map file and returns its path.
func (l *lookups) file(which string, pairs [][2]string) string {
	name := "mlb_" + l.name + "_" + which + ".map"
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
