package haproxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Diff compares the configuration that HAProxy of version v runs with the one
// that it should run. Properties: a HAProxy in state running given the plan's
// steps is in state running.After(steps); Diff(running.After(steps), desired)
// has no steps; Diff(x, x) is empty; the order of sections' servers does not
// matter; no step leaves a backend without a ready server that had one before
// and has one after.
func Diff(running, desired Config, v Version) Plan {
	d := differ{version: v, references: references(running)}
	d.sections(running, desired)
	slices.SortFunc(d.plan.Steps, compareSteps)
	slices.SortFunc(d.plan.Reasons, compareReasons)
	d.plan.Reasons = slices.Compact(d.plan.Reasons)
	return d.plan
}

type differ struct {
	version    Version
	references map[string]string
	plan       Plan
}

func (d *differ) reason(code, section, format string, args ...any) {
	d.plan.Reasons = append(d.plan.Reasons, Reason{Code: code, Section: section, Detail: fmt.Sprintf(format, args...)})
}

func (d *differ) step(kind StepKind, backend string, s Server) {
	d.plan.Steps = append(d.plan.Steps, Step{Kind: kind, Backend: backend, Server: s})
}

func (d *differ) sections(running, desired Config) {
	before, after := index(running), index(desired)
	var common []string
	for _, s := range running.Sections {
		if _, ok := after[s.Key()]; !ok {
			d.reason(ReasonSectionRemoved, s.Key(), "section is no longer wanted")
			continue
		}
		common = append(common, s.Key())
	}
	at := 0
	ordered := true
	for _, s := range desired.Sections {
		old, ok := before[s.Key()]
		if !ok {
			d.reason(ReasonSectionAdded, s.Key(), "section is new")
			continue
		}
		ordered = ordered && at < len(common) && common[at] == s.Key()
		at++
		if i := firstDifference(old.Skeleton, s.Skeleton); i >= 0 {
			d.reason(ReasonSectionChanged, s.Key(), "line %q became %q", lineAt(old.Skeleton, i), lineAt(s.Skeleton, i))
		}
		d.servers(old, s)
	}
	if !ordered {
		d.reason(ReasonSectionOrder, "", "sections stand in another order")
	}
}

// index maps section keys to sections. Of two sections with one key the first
// counts; HAProxy refuses such a file anyway.
func index(c Config) map[string]Section {
	out := make(map[string]Section, len(c.Sections))
	for _, s := range c.Sections {
		if _, ok := out[s.Key()]; !ok {
			out[s.Key()] = s
		}
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
func (d *differ) servers(old, wanted Section) {
	if slices.EqualFunc(old.Servers, wanted.Servers, Server.Same) {
		return
	}
	before, dup := serversByName(old)
	after, dupAfter := serversByName(wanted)
	if name := dup + dupAfter; name != "" {
		d.reason(ReasonServerName, wanted.Key(), "server name %q stands twice or is missing", name)
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

// serversByName indexes servers and returns the first name that is empty or
// stands twice.
func serversByName(s Section) (byName map[string]Server, bad string) {
	byName = make(map[string]Server, len(s.Servers))
	for _, srv := range s.Servers {
		if _, ok := byName[srv.Name]; ok || srv.Name == "" {
			return byName, strconv.Quote(srv.Name)
		}
		byName[srv.Name] = srv
	}
	return byName, ""
}

func (d *differ) add(sec Section, s Server, obstacle string, ids map[string]bool) {
	switch {
	case obstacle != "":
		d.reason(ReasonAlgorithm, sec.Key(), "%s: server %s cannot be added at run time", obstacle, s.Name)
		return
	case !literalAddress(s.Address):
		d.reason(ReasonServerAddress, sec.Key(), "server %s has no literal address and port: %q", s.Name, s.Address)
		return
	case !ValidName(s.Name):
		d.reason(ReasonServerName, sec.Key(), "server name %q", s.Name)
		return
	}
	for _, k := range s.Keywords {
		if why := k.addable(d.version); why != "" {
			d.reason(ReasonServerOption, sec.Key(), "server %s: %s", s.Name, why)
			return
		}
	}
	if _, ok := s.Keyword("cookie"); !ok && sec.persists() {
		d.reason(ReasonServerOption, sec.Key(), "server %s has no cookie value in a backend that sets one", s.Name)
		return
	}
	if id, ok := s.Keyword("id"); ok && ids[id] {
		s = s.cut("id") // still held by a server on its way out
	}
	d.step(AddServer, sec.Name, s)
}

func (d *differ) remove(sec Section, s Server) {
	if by, ok := d.references[sec.Name+"/"+s.Name]; ok {
		d.reason(ReasonServerInUse, sec.Key(), "server %s is named by %s", s.Name, by)
		return
	}
	d.step(RemoveServer, sec.Name, s)
}

// change turns a server into another one of the same name where commands exist
// for all that differs.
func (d *differ) change(sec Section, was, s Server) {
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

// dynamicObstacle returns why the running section takes no new servers, or "".
// Dynamic servers need an algorithm that can be changed at run time (management
// guide, section 9.3, add server).
func (s Section) dynamicObstacle() string {
	balance, hash := "roundrobin", "map-based"
	for _, line := range s.Skeleton {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && f[0] == "balance":
			balance = f[1]
		case len(f) > 1 && f[0] == "hash-type":
			hash = f[1]
		case f[0] == "server-template":
			return "server-template in the section"
		case f[0] == "dispatch":
			return "dispatch in the section"
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

// persists reports whether the section inserts a persistence cookie whose values
// come from the server lines.
func (s Section) persists() bool {
	for _, line := range s.Skeleton {
		f := strings.Fields(line)
		if f[0] == "cookie" {
			return !slices.Contains(f, "dynamic")
		}
	}
	return false
}

// references returns, for each "backend/server" that another directive names,
// that directive. HAProxy does not delete such a server.
func references(c Config) map[string]string {
	out := map[string]string{}
	for _, s := range c.Sections {
		for _, line := range s.Skeleton {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "use-server" {
				out[s.Name+"/"+f[1]] = "use-server"
			}
		}
		for _, srv := range s.Servers {
			if target, ok := srv.Keyword("track"); ok {
				if !strings.Contains(target, "/") {
					target = s.Name + "/" + target
				}
				out[target] = "track"
			}
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
