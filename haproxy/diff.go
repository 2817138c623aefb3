package haproxy

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Diff compares the configuration that HAProxy of version v runs with the one
// that it should run. Properties: a HAProxy in state running given the plan's
// steps is in state running.After(steps).AfterMaps(maps); Diff of that and desired
// has neither; Diff(x, x) is empty; the order of sections' servers does not
// matter; no step leaves a backend without a ready server that had one before
// and has one after.
func Diff(running, desired Config, v Version) Plan {
	d := differ{version: v, running: running, desired: desired}
	d.sections(running, desired)
	d.files(running.Files, desired.Files)
	slices.SortFunc(d.plan.Steps, compareSteps)
	slices.SortFunc(d.plan.Reasons, compareReasons)
	d.plan.Reasons = slices.Compact(d.plan.Reasons)
	return d.plan
}

type differ struct {
	version       Version
	running       Config
	desired       Config
	defaults      [2]*string // the defaults that sameDefaults compared last
	defaultsEqual bool
	plan          Plan
}

func (d *differ) reason(code, section, format string, args ...any) {
	d.plan.Reasons = append(d.plan.Reasons, Reason{Code: code, Section: section, Detail: fmt.Sprintf(format, args...)})
}

func (d *differ) step(kind StepKind, backend string, s Server) {
	d.plan.Steps = append(d.plan.Steps, Step{Kind: kind, Backend: backend, Server: s})
}

func (d *differ) sections(running, desired Config) {
	if running.Sections.equal(desired.Sections, (*Section).sameName) {
		for i := range running.Sections.differing(desired.Sections) {
			d.section(running.Sections.At(i), desired.Sections.At(i))
		}
		return
	}
	before, after := index(running), index(desired)
	place := make(map[sectionKey]int, len(before)) // among the sections that stay
	seen := map[sectionKey]int{}
	for _, s := range running.Sections.All() {
		key := nextKey(seen, s)
		if _, ok := after[key]; !ok {
			d.reason(ReasonSectionRemoved, s.Key(), "section is no longer wanted")
			continue
		}
		place[key] = len(place)
	}
	at := 0
	ordered := true
	clear(seen)
	for _, s := range desired.Sections.All() {
		key := nextKey(seen, s)
		old, ok := before[key]
		if !ok {
			d.reason(ReasonSectionAdded, s.Key(), "section is new")
			continue
		}
		ordered = ordered && place[key] == at
		at++
		d.section(old, s)
	}
	if !ordered {
		d.reason(ReasonSectionOrder, "", "sections stand in another order")
	}
}

func (s *Section) sameName(o *Section) bool { return s == o || s.Kind == o.Kind && s.Name == o.Name }

// section compares two sections of one kind and name.
func (d *differ) section(old, wanted *Section) {
	if old == wanted {
		return
	}
	written := slices.Equal(old.Lines, wanted.Lines)
	if !written {
		if i := firstDifference(old.Skeleton, wanted.Skeleton); i >= 0 {
			d.reason(ReasonSectionChanged, wanted.Key(), "line %q became %q",
				MaskPasswords([]byte(lineAt(old.Skeleton, i))), MaskPasswords([]byte(lineAt(wanted.Skeleton, i))))
		}
	}
	written = written && d.sameDefaults(old, wanted)
	same := func(a, b Server) bool {
		// Equal lines in equal places mean the same; that is faster to see.
		return written && a.Line == b.Line && a.Position == b.Position || a.Same(b)
	}
	if !slices.EqualFunc(old.Servers, wanted.Servers, same) {
		d.servers(old, wanted)
	}
}

// sameDefaults reports whether equal defaults apply to both sections. Most
// sections share one, so the last answer is kept.
func (d *differ) sameDefaults(old, wanted *Section) bool {
	if len(old.Defaults) == 0 || len(wanted.Defaults) == 0 {
		return len(old.Defaults) == len(wanted.Defaults)
	}
	if pair := [2]*string{&old.Defaults[0], &wanted.Defaults[0]}; pair != d.defaults {
		d.defaults, d.defaultsEqual = pair, slices.Equal(old.Defaults, wanted.Defaults)
	}
	return d.defaultsEqual
}

// sectionKey identifies a section in a text. Several sections may have one kind
// and name, as global and unnamed defaults sections do: nth counts them from 0.
type sectionKey struct {
	kind, name string
	nth        int
}

// nextKey returns the key of a section; seen counts those before it.
func nextKey(seen map[sectionKey]int, s *Section) sectionKey {
	key := sectionKey{kind: s.Kind, name: s.Name}
	nth := seen[key]
	seen[key]++
	key.nth = nth
	return key
}

func index(c Config) map[sectionKey]*Section {
	seen := make(map[sectionKey]int, c.Sections.Len())
	out := make(map[sectionKey]*Section, c.Sections.Len())
	for _, s := range c.Sections.All() {
		out[nextKey(seen, s)] = s
	}
	return out
}

func firstDifference(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if lineAt(a, i) != lineAt(b, i) {
			return i
		}
	}
	return -1
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// servers compares the server lines of one section. The skeleton that counts for
// what can be done at run time is the running one.
func (d *differ) servers(old, wanted *Section) {
	before, dup := serversByName(old)
	after, dupAfter := serversByName(wanted)
	if name := cmp.Or(dup, dupAfter); name != "" {
		d.reason(ReasonServerName, wanted.Key(), "server name %s is missing, stands twice or cannot be one", name)
		return
	}
	obstacle := old.dynamicObstacle()
	ids := map[string]bool{}
	for _, s := range old.Servers {
		if id, ok := s.Keyword("id"); ok {
			ids[id] = true
		}
	}
	for _, s := range wanted.Servers {
		was, ok := before[s.Name]
		switch {
		case !ok:
			d.add(old, s, obstacle, ids)
		case !was.Same(s):
			d.change(old, was, s)
		}
	}
	for _, s := range old.Servers {
		if _, ok := after[s.Name]; !ok {
			d.remove(old, s)
		}
	}
}

// serversByName indexes servers and returns the first name, in quotes, that HAProxy
// does not take or that stands twice.
func serversByName(s *Section) (byName map[string]Server, bad string) {
	byName = make(map[string]Server, len(s.Servers))
	for _, srv := range s.Servers {
		if _, ok := byName[srv.Name]; ok || !ValidName(srv.Name) {
			return byName, strconv.Quote(srv.Name)
		}
		byName[srv.Name] = srv
	}
	return byName, ""
}

func (d *differ) add(sec *Section, s Server, obstacle string, ids map[string]bool) {
	switch {
	case obstacle != "":
		d.reason(ReasonAlgorithm, sec.Key(), "%s: server %s cannot be added at run time", obstacle, s.Name)
		return
	case !literalAddress(s.Address):
		d.reason(ReasonServerAddress, sec.Key(), "server %s has no literal address and port: %q", s.Name, s.Address)
		return
	}
	for _, k := range s.Keywords {
		if why := k.addable(d.version); why != "" {
			d.reason(ReasonServerOption, sec.Key(), "server %s: %s", s.Name, why)
			return
		}
	}
	if _, ok := s.Keyword("cookie"); !ok && sec.persists(d.version) {
		d.reason(ReasonServerOption, sec.Key(), "server %s has no cookie value in a backend that sets one", s.Name)
		return
	}
	if id, ok := s.Keyword("id"); ok && ids[id] {
		s = s.cut("id") // still held by a server on its way out
	}
	d.step(AddServer, sec.Name, s)
}

func (d *differ) remove(sec *Section, s Server) {
	if by, ok := d.running.index.named[sec.Name+"/"+s.Name]; ok {
		d.reason(ReasonServerInUse, sec.Key(), "server %s is named by %s", s.Name, by)
		return
	}
	d.step(RemoveServer, sec.Name, s)
}

// change turns a server into another one of the same name where commands exist
// for all that differs.
func (d *differ) change(sec *Section, was, s Server) {
	if !slices.Equal(was.without("id", "disabled", "enabled", "weight"), s.without("id", "disabled", "enabled", "weight")) {
		d.reason(ReasonServerOption, sec.Key(), "options of server %s changed", s.Name)
		return
	}
	oldWeight, _ := was.Keyword("weight")
	weight, _ := s.Keyword("weight")
	switch {
	case was.Address != s.Address && (!literalAddress(was.Address) || !literalAddress(s.Address)):
		d.reason(ReasonServerAddress, sec.Key(), "server %s: %q became %q", s.Name, was.Address, s.Address)
		return
	case weight != oldWeight && !validWeight(weight):
		d.reason(ReasonServerOption, sec.Key(), "weight of server %s: %q", s.Name, weight)
		return
	case weight != oldWeight && sec.staticBalance() != "":
		d.reason(ReasonAlgorithm, sec.Key(), "%s: the weight of server %s cannot change at run time",
			sec.staticBalance(), s.Name)
		return
	}
	if was.Address != s.Address {
		d.step(SetAddress, sec.Name, s)
	}
	if weight != oldWeight {
		d.step(SetWeight, sec.Name, s)
	}
	if was.Ready() != s.Ready() {
		kind := EnableServer
		if was.Ready() {
			kind = DrainServer
		}
		d.step(kind, sec.Name, s)
	}
}

// validWeight accepts what set server … weight takes; no weight at all is 1.
func validWeight(w string) bool {
	n, err := strconv.Atoi(w)
	return w == "" || err == nil && n >= 0 && n <= 256
}

// literalAddress accepts an IP address with a port from 1 to 65535. HAProxy
// itself would take a name, a missing port, a port out of range (it wraps
// around) and even unix@ addresses that lead to its own socket.
func literalAddress(s string) bool {
	ap, err := netip.ParseAddrPort(s)
	return err == nil && ap.Port() != 0 && ap.Addr().Zone() == ""
}

// lines yields the words of the lines that apply to the section, those of its
// defaults first. A quoted word that holds blanks comes in pieces; the first words
// of directives never do.
func (s *Section) lines(yield func([]string) bool) {
	for _, part := range [][]string{s.Defaults, s.Skeleton} {
		for _, line := range part {
			if !yield(strings.Split(line, " ")) {
				return
			}
		}
	}
}

// dynamicObstacle returns why the running section takes no new servers, or "".
func (s *Section) dynamicObstacle() string {
	for f := range s.lines {
		if f[0] == "server-template" || f[0] == "dispatch" {
			return f[0] + " in the section"
		}
	}
	return s.staticBalance()
}

// staticBalance returns the algorithm if it is one that takes no new servers and
// no other weights at run time, or "" (management guide, section 9.3, add server
// and set weight).
func (s *Section) staticBalance() string {
	balance, hash := "roundrobin", "map-based"
	for f := range s.lines {
		switch {
		case len(f) > 1 && f[0] == "balance":
			balance = f[1]
		case len(f) > 1 && f[0] == "hash-type":
			hash = f[1]
		}
	}
	name, _, _ := strings.Cut(balance, "(")
	switch name {
	case "roundrobin", "leastconn", "first", "random":
		return ""
	case "static-rr":
		return "balance static-rr"
	}
	if hash == "consistent" {
		return ""
	}
	return "balance " + balance + " with a map-based hash"
}

// persists reports whether a server without a cookie value would break the
// persistence of the section: HAProxy deletes the cookies of its clients. With
// "dynamic" HAProxy computes the values itself, for added servers since 3.4.
func (s *Section) persists(v Version) bool {
	for f := range s.lines {
		if f[0] == "cookie" {
			return !slices.Contains(f, "dynamic") || !v.AtLeast(3, 4)
		}
	}
	return false
}

// serverFetch finds the servers that sample fetches name (HAProxy's manual,
// section 7.3.2).
var serverFetch = regexp.MustCompile(`\b(srv_\w+)\(([^,)\s]+)`)

// namedServers returns, for each "backend/server" that a directive of the section names,
// that directive. HAProxy does not delete such a server.
func (s *Section) namedServers() map[string]string {
	var out map[string]string
	add := func(by, target string) {
		if !strings.Contains(target, "/") {
			target = s.Name + "/" + target
		}
		if out == nil {
			out = map[string]string{}
		}
		out[target] = by
	}
	for _, line := range s.Skeleton {
		if f := strings.Split(line, " "); len(f) > 1 && f[0] == "use-server" {
			add(f[0], f[1])
		}
		if !strings.Contains(line, "srv_") {
			continue
		}
		for _, found := range serverFetch.FindAllStringSubmatch(line, -1) {
			add(found[1], found[2])
		}
	}
	for i := range s.Servers {
		if target, ok := s.Servers[i].Keyword("track"); ok {
			add("track", target)
		}
	}
	return out
}

// splitAddress cuts a literal address into host and port as set server wants
// them.
func splitAddress(s string) (host, port string) {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return s, "0"
	}
	return ap.Addr().String(), strconv.Itoa(int(ap.Port()))
}
