package render_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/render"
)

// sectionsOf returns kind and name of the sections of a text.
func sectionsOf(t *testing.T, text string) []string {
	t.Helper()
	var out []string
	for _, s := range parse(t, text).Sections.All() {
		out = append(out, s.Key())
	}
	return out
}

// D40: from 3.3 on HAProxy refuses a frontend that is called like a backend, also
// where a label or a variable repeats the name.
func TestD40FrontendsHaveTheirOwnNamesFromVersion33(t *testing.T) {
	t.Parallel()
	for version, want := range map[haproxy.Version]string{{Major: 3, Minor: 2}: "frontend a_10001", {Major: 3, Minor: 3}: "frontend a_10001_in"} {
		for _, overrides := range []render.Overrides{nil, {"FRONTEND_HEAD": "\nfrontend {backend}\n  bind {bindAddr}:{servicePort}\n"}} {
			f := frame()
			f.Version, f.Grouped = version, true
			r, err := render.New(f, overrides)
			if err != nil {
				t.Fatal(err)
			}
			got := sectionsOf(t, r.Render([]haproxy.Proxy{web("/a", 10001, "a.example.com")}).Config.Text())
			if !slices.Contains(got, want) {
				t.Errorf("%s: sections %q, want %s", version, got, want)
			}
			names := map[string]int{}
			for _, s := range got {
				kind, name, _ := strings.Cut(s, " ")
				if kind == "frontend" || kind == "backend" {
					names[name]++
				}
			}
			if twice := names["a_10001"] > 1 || names["a_example_com"] > 1; twice == version.AtLeast(3, 3) {
				t.Errorf("%s: names %v", version, names)
			}
		}
	}
}

// D41: two tasks that would have one server name are one server.
func TestD41OneServerForAName(t *testing.T) {
	t.Parallel()
	p := web("/a", 10001)
	twin := p.Endpoints[0]
	twin.Task = "other"
	p.Endpoints = append(p.Endpoints, twin)
	config := parse(t, newRenderer(t).Render([]haproxy.Proxy{p}).Config.Text())
	last := config.Sections.At(config.Sections.Len() - 1)
	if len(last.Servers) != 1 {
		t.Errorf("servers %+v, want one", last.Servers)
	}
}

// D42: the same services give the same bytes, in whatever order they were found.
func TestD42TheOrderOfTheInputDoesNotMatter(t *testing.T) {
	t.Parallel()
	var services []discovery.Service
	for _, app := range []string{"/a", "/b", "/c"} {
		p := web(app, 10001, "x.example.com")
		p.ServicePort += int(app[1] - 'a')
		p.Certificate, p.BindOptions = "/etc/ssl"+app+".pem", "name"+" "+app[1:]
		for port := 31001; port < 31004; port++ {
			e := p.Endpoints[0]
			e.Port = port
			p.Endpoints = append(p.Endpoints, e)
		}
		services = append(services, p.Service)
	}
	f := frame()
	f.Grouped = true
	r, err := render.New(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := func() string {
		shuffled := slices.Clone(services)
		for i := range shuffled {
			shuffled[i].Endpoints = slices.Clone(shuffled[i].Endpoints)
			rand.Shuffle(len(shuffled[i].Endpoints), func(a, b int) {
				e := shuffled[i].Endpoints
				e[a], e[b] = e[b], e[a]
			})
		}
		rand.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		proxies, _ := haproxy.Claim(discovery.NewSnapshot(shuffled, nil).Services, haproxy.Claims{})
		return r.Render(proxies).Config.Text()
	}
	want := text()
	for range 10 {
		if diff := cmp.Diff(want, text()); diff != "" {
			t.Fatalf("another order gives (-want +got):\n%s", diff)
		}
	}
}

// D52: what HAProxy was built without is left out, and it starts.
func TestD52WithoutTheExporterHAProxyStarts(t *testing.T) {
	t.Parallel()
	for exporter, want := range map[bool]int{true: 1, false: 0} {
		f := frame()
		f.Exporter = exporter
		r, err := render.New(f, nil)
		if err != nil {
			t.Fatal(err)
		}
		text := r.Render(nil)
		accepted(t, text)
		if got := strings.Count(text.Config.Text(), "prometheus-exporter"); got != want {
			t.Errorf("exporter %t: named %d times, want %d", exporter, got, want)
		}
	}
}
