package haproxy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
)

func version(major, minor int) haproxy.Version { return haproxy.Version{Major: major, Minor: minor} }

// backend is a text with one backend "x" of these lines.
func backend(lines ...string) string { return "backend x\n " + strings.Join(lines, "\n ") + "\n" }

// steps are the steps of a plan as "kind backend/server".
func steps(p haproxy.Plan) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, string(s.Kind)+" "+s.Backend+"/"+s.Server.Name)
	}
	return out
}

// codes are the codes and sections of a plan's reasons.
func codes(p haproxy.Plan) []string {
	var out []string
	for _, r := range p.Reasons {
		out = append(out, strings.TrimSpace(r.Code+" "+r.Section))
	}
	return out
}

type diffCase struct {
	running, desired string
	steps, reasons   []string
}

func testDiff(t *testing.T, v haproxy.Version, tests map[string]diffCase) {
	t.Helper()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := haproxy.Diff(parse(t, tt.running), parse(t, tt.desired), v)
			if diff := cmp.Diff(tt.steps, steps(plan)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.reasons, codes(plan)); diff != "" {
				t.Errorf("reasons (-want +got):\n%s\n%v", diff, plan.Reasons)
			}
		})
	}
}

const (
	srvA = "server a 10.0.0.1:1"
	srvB = "server b 10.0.0.2:2"
	srvC = "server c 10.0.0.3:3"
)

func TestDiffOfServers(t *testing.T) {
	t.Parallel()
	testDiff(t, version(2, 6), map[string]diffCase{
		"equal texts need nothing":      {backend(srvA), backend(srvA), nil, nil},
		"the order of servers is none":  {backend(srvA, srvB), backend(srvB, srvA), nil, nil},
		"an id is no difference":        {backend(srvA + " id 5"), backend(srvA + " id 6"), nil, nil},
		"a new server is added":         {backend(srvA), backend(srvA, srvB), []string{"add x/b"}, nil},
		"the first server is added":     {backend("mode http"), backend("mode http", srvB), []string{"add x/b"}, nil},
		"a server that left is removed": {backend(srvA, srvB), backend(srvA), []string{"remove x/b"}, nil},
		"the last server is removed":    {backend(srvA), backend("# none"), []string{"remove x/a"}, nil},
		"what adds capacity comes first": {
			backend(srvA, srvB+" disabled", "server d 10.0.0.4:4", "server e 10.0.0.5:5", "server f 10.0.0.6:6 weight 1"),
			backend(srvC, srvB, "server d 10.0.0.4:4 weight 0", "server e 10.0.0.5:5 disabled", "server f 10.0.0.6:7 weight 2"),
			[]string{"add x/c", "address x/f", "weight x/f", "enable x/b", "weight x/d", "drain x/e", "remove x/a"},
			nil,
		},
		"a draining server is disabled":       {backend(srvA), backend(srvA + " disabled"), []string{"drain x/a"}, nil},
		"a draining server comes back":        {backend(srvA + " disabled"), backend(srvA), []string{"enable x/a"}, nil},
		"a server arrives draining":           {backend(srvA), backend(srvA, srvB+" disabled"), []string{"add x/b"}, nil},
		"enabled says nothing new":            {backend(srvA), backend(srvA + " enabled"), nil, nil},
		"a weight changes":                    {backend(srvA), backend(srvA + " weight 256"), []string{"weight x/a"}, nil},
		"a weight goes":                       {backend(srvA + " weight 5"), backend(srvA), []string{"weight x/a"}, nil},
		"an address changes":                  {backend(srvA), backend("server a [::1]:9"), []string{"address x/a"}, nil},
		"backends are told apart":             {"backend x\n" + srvA + "\nlisten y\n", "backend x\nlisten y\n" + srvA + "\n", []string{"add y/a", "remove x/a"}, nil},
		"a held id is not asked for":          {backend(srvA + " id 5"), backend(srvB + " id 5"), []string{"add x/b", "remove x/a"}, nil},
		"leastconn takes servers":             {backend("balance leastconn"), backend("balance leastconn", srvA), []string{"add x/a"}, nil},
		"first takes servers":                 {backend("balance first"), backend("balance first", srvA), []string{"add x/a"}, nil},
		"random with an argument does":        {backend("balance random(3)"), backend("balance random(3)", srvA), []string{"add x/a"}, nil},
		"a consistent hash takes servers":     {backend("balance source", "hash-type consistent"), backend("balance source", "hash-type consistent", srvA), []string{"add x/a"}, nil},
		"a cookie by HAProxy itself from 3.4": {backend("cookie C insert dynamic"), backend("cookie C insert dynamic", srvA), nil, []string{"server_option backend x"}},
	})
}

func TestReasonsOfSections(t *testing.T) {
	t.Parallel()
	testDiff(t, version(2, 6), map[string]diffCase{
		"a section comes":         {"backend x\n", "backend x\nbackend y\n", nil, []string{"section_added backend y"}},
		"a section goes":          {"backend x\nbackend y\n", "backend y\n", nil, []string{"section_removed backend x"}},
		"a section changes":       {"backend x\n a\n", "backend x\n b\n", nil, []string{"section_changed backend x"}},
		"a line comes":            {"backend x\n", "backend x\n b\n", nil, []string{"section_changed backend x"}},
		"sections change places":  {"backend x\nbackend y\n", "backend y\nbackend x\n", nil, []string{"section_order"}},
		"coming is no new order":  {"backend x\nbackend z\n", "backend x\nbackend y\nbackend z\n", nil, []string{"section_added backend y"}},
		"leaving is no new order": {"backend x\nbackend y\nbackend z\n", "backend x\nbackend z\n", nil, []string{"section_removed backend y"}},
		"kinds are told apart":    {"backend x\n", "listen x\n", nil, []string{"section_added listen x", "section_removed backend x"}},
		"comments are nothing":    {"# a\nbackend x\n", "# b\n\nbackend x # c\n", nil, nil},
		"unnamed sections are compared one by one": {
			"global\nglobal\n a\ndefaults\n mode http\ndefaults\n mode tcp\n", "global\nglobal\n a\ndefaults\n mode http\ndefaults\n mode tcp\n",
			nil, nil,
		},
		"the second of unnamed sections changes": {
			"defaults\n mode http\ndefaults\n mode tcp\n", "defaults\n mode http\ndefaults\n mode http\n",
			nil,
			[]string{"section_changed defaults"},
		},
		"unnamed sections are told apart beside a new one": {
			"defaults\n mode http\ndefaults\n mode tcp\n", "defaults\n mode http\ndefaults\n mode tcp\nbackend y\n",
			nil,
			[]string{"section_added backend y"},
		},
		"steps do not wait for a reload": {
			"backend x\n a\n", "backend x\n b\n " + srvA + "\n", []string{"add x/a"}, []string{"section_changed backend x"},
		},
		"servers of peers are lines": {"peers p\n server a 1.1.1.1:1\n", "peers p\n", nil, []string{"section_changed peers p"}},
		"reasons are sorted and said once": {
			backend(srvA), backend(srvA+" fall 3", srvB+" fantasy") + "backend y\n", nil,
			[]string{"section_added backend y", "server_option backend x", "server_option backend x"},
		},
	})
}

func TestReasonsOfServers(t *testing.T) {
	t.Parallel()
	const x = " backend x"
	testDiff(t, version(2, 6), map[string]diffCase{
		"static-rr takes no server":           {backend("balance static-rr"), backend("balance static-rr", srvA), nil, []string{"algorithm" + x}},
		"a map-based hash takes no server":    {backend("balance source"), backend("balance source", srvA), nil, []string{"algorithm" + x}},
		"a hash of a header takes no server":  {backend("balance hdr(host)"), backend("balance hdr(host)", srvA), nil, []string{"algorithm" + x}},
		"the algorithm may be in defaults":    {"defaults\n balance source\n" + backend("a"), "defaults\n balance source\n" + backend("a", srvA), nil, []string{"algorithm" + x}},
		"the section goes over its defaults":  {"defaults\n balance source\n" + backend("balance first"), "defaults\n balance source\n" + backend("balance first", srvA), []string{"add x/a"}, nil},
		"the running algorithm decides":       {backend("balance source"), backend(srvA), nil, []string{"algorithm" + x, "section_changed" + x}},
		"a template of servers takes none":    {backend("server-template s 3 h:80"), backend("server-template s 3 h:80", srvA), nil, []string{"algorithm" + x}},
		"dispatch takes no server":            {backend("dispatch 1.1.1.1:1"), backend("dispatch 1.1.1.1:1", srvA), nil, []string{"algorithm" + x}},
		"static-rr lets servers go":           {backend("balance static-rr", srvA), backend("balance static-rr"), []string{"remove x/a"}, nil},
		"static-rr lets servers drain":        {backend("balance static-rr", srvA), backend("balance static-rr", srvA+" disabled"), []string{"drain x/a"}, nil},
		"static-rr keeps its weights":         {backend("balance static-rr", srvA), backend("balance static-rr", srvA+" weight 2"), nil, []string{"algorithm" + x}},
		"a map-based hash keeps its weights":  {backend("balance uri", srvA), backend("balance uri", srvA+" weight 2"), nil, []string{"algorithm" + x}},
		"an unknown option":                   {backend("a"), backend("a", srvA+" fantasy"), nil, []string{"server_option" + x}},
		"an option only files can have":       {backend("a"), backend("a", srvA+" resolvers r"), nil, []string{"server_option" + x}},
		"an option by default-server":         {backend("default-server resolvers r"), backend("default-server resolvers r", srvA), nil, []string{"server_option" + x}},
		"an option changes":                   {backend(srvA), backend(srvA + " check"), nil, []string{"server_option" + x}},
		"an option changes by default-server": {backend(srvA), backend("default-server check", srvA), nil, []string{"section_changed" + x, "server_option" + x}},
		"a value with command syntax":         {backend("a"), backend("a", srvA+` sni "str(a;b)"`), nil, []string{"server_option" + x}},
		"a value with a blank":                {backend("a"), backend("a", srvA+` sni "str(a b)"`), nil, []string{"server_option" + x}},
		"a weight out of range":               {backend(srvA), backend(srvA + " weight 257"), nil, []string{"server_option" + x}},
		"a weight that is no number":          {backend(srvA), backend(srvA + " weight 50%"), nil, []string{"server_option" + x}},
		"no cookie value beside others":       {backend("cookie C insert"), backend("cookie C insert", srvA), nil, []string{"server_option" + x}},
		"a cookie in defaults counts":         {"defaults\n cookie C insert\n" + backend("a"), "defaults\n cookie C insert\n" + backend("a", srvA), nil, []string{"server_option" + x}},
		"a name to be resolved":               {backend("a"), backend("a", "server a db.example.com:1"), nil, []string{"server_address" + x}},
		"an address without port":             {backend("a"), backend("a", "server a 10.0.0.1"), nil, []string{"server_address" + x}},
		"port 0":                              {backend("a"), backend("a", "server a 10.0.0.1:0"), nil, []string{"server_address" + x}},
		"a port out of range":                 {backend("a"), backend("a", "server a 10.0.0.1:99999"), nil, []string{"server_address" + x}},
		"a Unix socket":                       {backend("a"), backend("a", "server a unix@/run/x"), nil, []string{"server_address" + x}},
		"an address with a zone":              {backend("a"), backend("a", "server a [fe80::1%eth0]:1"), nil, []string{"server_address" + x}},
		"an address becomes a name":           {backend(srvA), backend("server a db.example.com:1"), nil, []string{"server_address" + x}},
		"a name HAProxy would refuse":         {backend("a"), backend("a", "server 'a;b' 10.0.0.1:1"), nil, []string{"server_name" + x}},
		"a name stands twice":                 {backend(srvA), backend(srvA, srvB, srvB), nil, []string{"server_name" + x}},
		"a name is missing":                   {backend(srvA), backend(srvA, "server"), nil, []string{"server_name" + x}},
		"a name stood twice":                  {backend(srvA, srvA), backend(srvA), nil, []string{"server_name" + x}},
		"use-server holds a server":           {backend("use-server a if x", srvA), backend("use-server a if x"), nil, []string{"server_in_use" + x}},
		"track holds a server": {
			backend(srvA) + "backend y\n server b 10.0.0.2:2 track x/a\n", backend("# none") + "backend y\n server b 10.0.0.2:2 track x/a\n",
			nil,
			[]string{"server_in_use" + x},
		},
		"a sample fetch holds a server": {
			backend(srvA) + "frontend f\n acl up srv_is_up(x/a)\n", backend("# none") + "frontend f\n acl up srv_is_up(x/a)\n",
			nil,
			[]string{"server_in_use" + x},
		},
		"a sample fetch in a format does": {
			backend("http-request set-header X %[srv_queue(a)]", srvA), backend("http-request set-header X %[srv_queue(a)]"),
			nil,
			[]string{"server_in_use" + x},
		},
		"strange blanks are words": {backend("\u00a0"), backend("\u00a0", srvA), []string{"add x/a"}, nil},
	})
}

func TestServerOptionsByVersion(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		line  string
		v     haproxy.Version
		taken bool
	}{
		"a check from the beginning":        {"check inter 2s fall 3 rise 2 port 9", version(2, 6), true},
		"shard not before 2.7":              {"shard 1", version(2, 6), false},
		"shard from 2.7":                    {"shard 1", version(2, 7), true},
		"enabled before 3.0":                {"enabled", version(2, 9), true},
		"enabled not from 3.0 on":           {"enabled", version(3, 0), false},
		"cookie not before 3.0":             {"cookie abc", version(2, 9), false},
		"cookie from 3.0":                   {"cookie abc", version(3, 0), true},
		"cookie later":                      {"cookie abc", version(4, 0), true},
		"crt reads a file, so never":        {"crt /x", version(3, 4), false},
		"resolvers never":                   {"resolvers r", version(3, 4), false},
		"nothing before 2.6":                {"check", version(2, 5), false},
		"nothing for an unknown version":    {"weight 1", haproxy.Version{}, false},
		"an address and port need no words": {"", haproxy.Version{}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := haproxy.Diff(parse(t, backend("a")), parse(t, backend("a", srvA+" "+tt.line)), tt.v)
			if got := len(plan.Steps) == 1; got != tt.taken || got == (len(plan.Reasons) == 1) {
				t.Errorf("%s on %s: %v", tt.line, tt.v, plan)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		running, desired string
		want             []string
	}{
		"a server is added and enabled": {
			backend("a"), backend("a", srvA),
			[]string{"add server x/a 10.0.0.1:1", "set server x/a state ready"},
		},
		"its checks are started": {
			backend("a"), backend("a", srvA+" check inter 2s id 7 weight 3 enabled agent-check agent-port 9"),
			[]string{
				"add server x/a 10.0.0.1:1 agent-check agent-port 9 check id 7 inter 2s weight 3",
				"enable health x/a", "enable agent x/a", "set server x/a state ready",
			},
		},
		"defaults are written out": {
			"defaults\n default-server inter 9s\n" + backend("default-server check"),
			"defaults\n default-server inter 9s\n" + backend("default-server check", srvA),
			[]string{"add server x/a 10.0.0.1:1 check inter 9s", "enable health x/a", "set server x/a state ready"},
		},
		"a disabled one is not enabled":  {backend("a"), backend("a", srvA+" disabled"), []string{"add server x/a 10.0.0.1:1"}},
		"a held id is left out":          {backend(srvA+" id 5", srvC), backend(srvB+" id 5", srvC), []string{"add server x/b 10.0.0.2:2", "set server x/b state ready", "set server x/a state maint"}},
		"a server drains in maintenance": {backend(srvA), backend(srvA + " disabled"), []string{"set server x/a state maint"}},
		"a server is put back":           {backend(srvA + " disabled"), backend(srvA), []string{"set server x/a state ready"}},
		"a weight":                       {backend(srvA), backend(srvA + " weight 0"), []string{"set server x/a weight 0"}},
		"no weight is one":               {backend(srvA + " weight 9"), backend(srvA), []string{"set server x/a weight 1"}},
		"an address":                     {backend(srvA), backend("server a 10.0.0.9:9"), []string{"set server x/a addr 10.0.0.9 port 9"}},
		"an IPv6 address":                {backend(srvA), backend("server a [fe80::1]:9"), []string{"set server x/a addr fe80::1 port 9"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, s := range haproxy.Diff(parse(t, tt.running), parse(t, tt.desired), version(2, 6)).Steps {
				got = append(got, s.Commands()...)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
		})
	}
	if got := haproxy.DeleteCommand("x", "a"); got != "del server x/a" {
		t.Errorf("DeleteCommand: %q", got)
	}
}

// What runs after the steps can be written and read again.
func TestAfterWritesWhatRuns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ running, desired string }{
		"enabled against default-server":   {backend("default-server disabled", srvA), backend("default-server disabled", srvA+" enabled")},
		"disabled against enabled":         {backend("default-server disabled", srvA+" enabled"), backend("default-server disabled", srvA)},
		"weight against default-server":    {backend("default-server weight 5", srvA), backend("default-server weight 5", srvA+" weight 7")},
		"default-server behind the server": {backend(srvA, "default-server weight 5"), backend(srvA, srvB, "default-server weight 5")},
		"server behind default-server":     {backend(srvA, "default-server weight 5"), backend(srvA, "default-server weight 5", srvB)},
		"everything at once": {
			backend(srvA, srvB+" check 'weight' 5", "server d 10.0.0.4:4"), backend(srvC+" id 9", srvB+" check weight 9 disabled", "server d 10.0.0.5:5"),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			running, desired := parse(t, tt.running), parse(t, tt.desired)
			plan := haproxy.Diff(running, desired, version(2, 6))
			if len(plan.Steps) == 0 || len(plan.Reasons) > 0 {
				t.Fatalf("plan %v", plan)
			}
			written := running.After(plan.Steps).Text()
			if again := haproxy.Diff(parse(t, written), desired, version(2, 6)); !again.Empty() {
				t.Errorf("plan %v after reading\n%s", again, written)
			}
			if diff := cmp.Diff(parse(t, tt.running), running); diff != "" {
				t.Errorf("the running configuration was changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAfterIgnoresStepsForWhatIsNotThere(t *testing.T) {
	t.Parallel()
	c := parse(t, "frontend x\n bind *:1\n"+backend(srvA))
	got := c.After([]haproxy.Step{
		{Kind: haproxy.RemoveServer, Backend: "y", Server: haproxy.Server{Name: "a"}},
		{Kind: haproxy.DrainServer, Backend: "x", Server: haproxy.Server{Name: "z"}},
		{Kind: haproxy.AddServer, Backend: "x", Server: haproxy.Server{Name: "a"}},
	})
	if diff := cmp.Diff(c, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestDiffOfFiles(t *testing.T) {
	t.Parallel()
	file := func(name, text string) haproxy.File { return haproxy.File{Name: name, Text: text} }
	for name, tt := range map[string]struct {
		running, desired []haproxy.File
		want             []string
	}{
		"equal files need nothing, in any order": {
			running: []haproxy.File{file("a", "1"), file("b", "2")}, desired: []haproxy.File{file("b", "2"), file("a", "1")},
		},
		"another text of a file that nothing reads needs nothing of HAProxy": {
			running: []haproxy.File{file("a", "1")}, desired: []haproxy.File{file("a", "2")},
		},
		"a new file and one that goes are reloads": {
			running: []haproxy.File{file("a", "")}, desired: []haproxy.File{file("b", "")},
			want: []string{"file a is no longer wanted", "file b is new"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			running, desired := parse(t, backend(srvA)).WithFiles(tt.running), parse(t, backend(srvA)).WithFiles(tt.desired)
			plan := haproxy.Diff(running, desired, version(2, 6))
			var got []string
			for _, r := range plan.Reasons {
				if r.Code != haproxy.ReasonMapChanged {
					t.Errorf("reason %+v", r)
				}
				got = append(got, r.Detail)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(running.Files, running.After(plan.Steps).Files); diff != "" {
				t.Errorf("files after steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiffOfMaps(t *testing.T) {
	t.Parallel()
	const (
		reads  = "frontend f\n  use_backend %[var(x)] if { req.fhdr(host),lower,map_beg(/d/m.map),set-var(x) -m found }\n"
		twice  = "frontend f\n  use_backend %[hdr(host),map(/d/m.map)]\nfrontend g\n  use_backend %[hdr(host),map_str(/d/m.map,a)]\n"
		listed = "frontend f\n  use_backend a if { hdr(host) -f /d/m.map }\n"
		suffix = "frontend f\n  use_backend %[hdr(host),map_end(/d/m.map)]\n"
		ab     = "backend a\nbackend b\n"
	)
	for name, tt := range map[string]struct {
		running, desired string
		from, to         string
		commands         []string
		why              string
	}{
		"entries come, change and go, in this order": {
			reads + ab, reads + ab, "1| a\n2| a\n3| a\n", "0| b\n2| b\n3| a\n",
			[]string{"del map /d/m.map 0|", "add map /d/m.map 0| b", "set map /d/m.map 2| b", "del map /d/m.map 1|"},
			"",
		},
		"two sections may read it":        {twice + ab, twice + ab, "1 a\n", "1 b\n", []string{"set map /d/m.map 1 b"}, ""},
		"another order is no difference":  {reads + ab, reads + ab, "1 a\n2 b\n", "2 b\n1 a\n", nil, ""},
		"a backend that is new":           {reads + ab, reads + ab + "backend c\n", "1 a\n", "1 c\n", nil, "leads from 1 to c, which does not run yet"},
		"a reader that changes, too":      {reads + ab, reads + "  http-request deny\n" + ab, "1 a\n", "", nil, "is read in another way"},
		"a reader that is new":            {ab, reads + ab, "1 a\n", "2 a\n", nil, "is read in another way"},
		"a list":                          {listed + ab, listed + ab, "1 a\n", "2 a\n", nil, "is read by more than plain look-ups"},
		"a map in which the order counts": {suffix + ab, suffix + ab, "1 a\n", "2 a\n", nil, "is read by more than plain look-ups"},
		"a key that stands twice":         {reads + ab, reads + ab, "1 a\n1 b\n", "1 a\n", nil, "is no map of plain entries"},
		"a line that is no entry":         {reads + ab, reads + ab, "1 a\n", "1 a b\n", nil, "is no map of plain entries"},
		"a comment":                       {reads + ab, reads + ab, "1 a\n", "#1 a\n", nil, "is no map of plain entries"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			running := parse(t, tt.running).WithFiles([]haproxy.File{{Name: "m.map", Text: tt.from}})
			desired := parse(t, tt.desired).WithFiles([]haproxy.File{{Name: "m.map", Text: tt.to}})
			plan := haproxy.Diff(running, desired, version(2, 6))
			var commands []string
			for _, m := range plan.Maps {
				for _, e := range m.Entries {
					commands = append(commands, e.Commands("/d/"+m.File)...)
				}
			}
			if diff := cmp.Diff(tt.commands, commands); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
			var why string
			for _, r := range plan.Reasons {
				if r.Code == haproxy.ReasonMapChanged {
					why = strings.TrimPrefix(r.Detail, "file m.map ")
				}
			}
			if why != tt.why {
				t.Errorf("reason %q, want %q", why, tt.why)
			}
			if again := haproxy.Diff(running.After(plan.Steps).AfterMaps(plan.Maps), desired, version(2, 6)); len(again.Steps)+len(again.Maps) > 0 {
				t.Errorf("after the plan: %+v", again)
			}
		})
	}
}
