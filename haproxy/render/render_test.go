package render_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/render"
	"mlb/templates"
)

func web(app string, port int, hosts ...string) haproxy.Proxy {
	s := discovery.Service{
		App: app, ServicePort: port, Mode: discovery.ModeHTTP, Balance: "roundrobin", Hosts: hosts,
		Endpoints: []discovery.Endpoint{{
			Task: "t", Agent: "10.0.0.1", Address: netip.MustParseAddr("10.0.0.1"), Port: 31000 + port%1000, State: discovery.Ready,
		}},
	}
	return haproxy.Proxy{Service: s, Name: haproxy.BackendName(app, port), Bind: haproxy.JoinBind("*", port)}
}

func newRenderer(tb testing.TB) *render.Renderer {
	tb.Helper()
	r, err := render.New(frame(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// A template with an unknown placeholder is an error at start that names all bad
// ones (D34).
func TestD34BadPlaceholderIsAStartError(t *testing.T) {
	t.Parallel()
	_, err := render.New(frame(), render.Overrides{
		"BACKEND_HEAD": "backend {backends}\n", "FRONTEND_HEAD": "frontend {}\n", "BACKEND_HTTP_OPTIONS": "  # { raw }\n",
	})
	if !errors.Is(err, templates.ErrPlaceholder) {
		t.Fatalf("got %v, want ErrPlaceholder", err)
	}
	for _, want := range []string{"HAPROXY_BACKEND_HEAD: {backends}", "HAPROXY_FRONTEND_HEAD: {}"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
}

// A copy of mlb's own file is no override: the values of the instance are filled in.
func TestACopyOfTheDefaultIsNoOverride(t *testing.T) {
	t.Parallel()
	overrides := render.Overrides{}
	for _, name := range templates.Names() {
		d, err := templates.Default(name)
		if err != nil {
			t.Fatal(err)
		}
		overrides[name] = d.Text
	}
	r, err := render.New(frame(), overrides)
	if err != nil {
		t.Fatal(err)
	}
	proxies := []haproxy.Proxy{web("/a", 10001, "a.example.com")}
	if got, want := r.Render(proxies).Config.Text(), newRenderer(t).Render(proxies).Config.Text(); got != want || r.CustomHead() {
		t.Errorf("text with copies of the defaults:\n%s", got)
	}
	if r, err = render.New(frame(), render.Overrides{"HEAD": "global\n"}); err != nil || !r.CustomHead() {
		t.Errorf("another HEAD is not noticed (%v)", err)
	}
}

// Without a limit old workers live until their last connection ends (K18).
func TestHardStopStandsInGlobalIfThereIsALimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[time.Duration]string{
		0: "", time.Millisecond: "hard-stop-after 1ms", 90 * time.Second: "hard-stop-after 90s",
		2 * time.Hour: "hard-stop-after 2h", 3 * time.Minute: "hard-stop-after 3m", 1500*time.Millisecond + 1: "hard-stop-after 1500ms",
		math.MaxInt32 * time.Millisecond: "hard-stop-after 2147483647ms",
	} {
		f := frame()
		f.HardStopAfter = limit
		r, err := render.New(f, nil)
		if err != nil {
			t.Fatal(err)
		}
		global, _ := r.Render(nil).Config.Section("global", "")
		got := slices.DeleteFunc(slices.Clone(global.Skeleton), func(l string) bool { return !strings.Contains(l, "hard-stop") })
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: %q, want %q", limit, got, want)
		}
		accepted(t, r.Render(nil))
	}
}

// Each line that a service wrote leads back to it, and no line of the frame leads
// to a service.
func TestEveryLineHasItsOwner(t *testing.T) {
	t.Parallel()
	text := newRenderer(t).Render([]haproxy.Proxy{web("/a", 10001, "a.example.com"), web("/b", 10002, "b.example.com")})
	for i, line := range strings.Split(strings.TrimSuffix(text.Config.Text(), "\n"), "\n") {
		owner, ok := text.Owner(i + 1)
		want := ""
		switch {
		case strings.Contains(line, "a_10001"):
			want = "/a"
		case strings.Contains(line, "b_10002"):
			want = "/b"
		default:
			continue
		}
		if !ok || owner != want {
			t.Errorf("line %d %q: owner %q (%t), want %q", i+1, line, owner, ok, want)
		}
	}
	if o, ok := text.Owner(1); ok {
		t.Errorf("line 1 belongs to %q, want to nobody", o)
	}
}

// A change of tasks changes nothing but server lines, so it never needs a reload.
func TestTasksChangeServersOnly(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	before := []haproxy.Proxy{web("/a", 10001, "a.example.com"), web("/b", 10002)}
	after := slices.Clone(before)
	after[0].Endpoints = append(slices.Clone(before[0].Endpoints), discovery.Endpoint{
		Task: "t2", Agent: "10.0.0.2", Address: netip.MustParseAddr("10.0.0.2"), Port: 31002, State: discovery.Draining,
	})
	after[1].Endpoints = nil
	plan := haproxy.Diff(parse(t, r.Render(before).Config.Text()), parse(t, r.Render(after).Config.Text()), haproxy.Version{Major: 2, Minor: 6})
	if len(plan.Reasons) > 0 {
		t.Errorf("reasons for a reload: %v", plan.Reasons)
	}
	if len(plan.Steps) != 2 {
		t.Errorf("steps %v, want one added and one removed server", plan.Steps)
	}
}

func parse(tb testing.TB, text string) haproxy.Config {
	tb.Helper()
	return haproxy.Parse(text)
}

// Equal input gives equal bytes, whatever order it was found in.
func TestRenderDependsOnValuesOnly(t *testing.T) {
	t.Parallel()
	var services []discovery.Service
	for port := 10001; port < 10020; port++ {
		services = append(services, web("/app"+string(rune('a'+port%7)), port, "x.example.com").Service)
	}
	r := newRenderer(t)
	first := ""
	for range 10 {
		rand.Shuffle(len(services), func(i, j int) { services[i], services[j] = services[j], services[i] })
		proxies, _ := haproxy.Claim(services, haproxy.Claims{})
		text := r.Render(proxies).Config.Text()
		if first == "" {
			first = text
		}
		if text != first {
			t.Fatal("another order of services gave another text")
		}
	}
}

// Whatever a label holds, the text parsed again has exactly the sections that were
// meant.
func FuzzServerTemplate(f *testing.F) {
	f.Add("  server {serverName} {host_ipv4}:{port}\n")
	f.Add("  server x 1.2.3.4:5\nglobal\n")
	f.Add("  server x unix@/s\n")
	f.Add("listen x\n bind :1")
	f.Add("server \\\n x")
	f.Add("  server {serverName} {host_ipv4}:{port} 'check\n")
	f.Fuzz(func(t *testing.T, template string) {
		p := web("/a", 10001, "a.example.com")
		p.Overrides = []discovery.Override{{Template: "BACKEND_SERVER_OPTIONS", Text: template}}
		c := parse(t, newRenderer(t).Render([]haproxy.Proxy{p, web("/b", 10002)}).Config.Text())
		var keys []string
		for _, s := range c.Sections.All() {
			keys = append(keys, s.Key())
		}
		want := []string{
			"global ", "defaults ", "listen stats", "frontend marathon_http_in", "frontend marathon_http_appid_in",
			"frontend marathon_https_in", "frontend a_10001", "frontend b_10002", "backend a_10001", "backend b_10002",
		}
		without := slices.DeleteFunc(slices.Clone(want), func(k string) bool { return strings.HasSuffix(k, "a_10001") })
		if !slices.Equal(keys, want) && !slices.Equal(keys, without) {
			t.Errorf("sections %q", keys)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run("apps="+strconv.Itoa(n), func(b *testing.B) {
			proxies := make([]haproxy.Proxy, n)
			for i := range proxies {
				proxies[i] = web("/app"+strconv.Itoa(i), 10001+i, "h"+strconv.Itoa(i)+".example.com")
			}
			r := newRenderer(b)
			b.ReportAllocs()
			for b.Loop() {
				r.Render(proxies)
			}
		})
	}
}

// A deployment group may have upper-case letters in its name; an app's ID has none.
func TestTheAppItselfIsFoundByItsID(t *testing.T) {
	t.Parallel()
	got := newRenderer(t).Render([]haproxy.Proxy{web("/SHOP", 10001), web("/shop", 10002)})
	for _, f := range got.Config.Files {
		if f.Name == "mlb_apps_ids.map" && f.Text != "/shop shop_10002\n" {
			t.Errorf("map of apps %q", f.Text)
		}
	}
}

// HAProxy knows a quoted directive as well: it must not stand before its turn.
func TestAQuotedDirectiveTakesNoTurnOfOthers(t *testing.T) {
	t.Parallel()
	late := labelled(web("/late", 10002, "shop.example.com"), "HTTP_FRONTEND_ACL",
		"  acl host_{cleanedUpHostname} hdr(host) -i {hostname}\n  \"use_backend\" {backend} if host_{cleanedUpHostname}\n")
	early := labelled(web("/early", 10001, "shop.example.com"), "HTTP_FRONTEND_ACL",
		"  acl host_{cleanedUpHostname} hdr(host) -i {hostname}\n  use_backend {backend} if host_{cleanedUpHostname}\n")
	got := newRenderer(t).Render([]haproxy.Proxy{early, late})
	first, second := strings.Index(got.Config.Text(), "use_backend early_10001"), strings.Index(got.Config.Text(), `"use_backend" late_10002`)
	if first < 0 || second < first || len(got.Problems) > 0 {
		t.Errorf("rules at %d and %d, problems %+v\n%s", first, second, got.Problems, got.Config.Text())
	}
}

// Contract 5.6 joins the bind options of a host's services; one that asked for the host
// in vain is none of them.
func TestTheLoserOfAHostDecidesNothingAboutItsTLS(t *testing.T) {
	t.Parallel()
	f := frame()
	f.Grouped = true
	r, err := render.New(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	path, first, late := web("/path", 10001, "shop.example.com"), web("/shop", 10002, "shop.example.com"), web("/zevil", 10003, "shop.example.com")
	path.Path, path.Weight = "/x", 1
	path.BindOptions, first.BindOptions, late.BindOptions = "curves X25519", "ssl-min-ver TLSv1.3", "accept-netscaler-cip 5"
	got := r.Render([]haproxy.Proxy{path, first, late}).Config.Text()
	_, got, _ = strings.Cut(got, "frontend shop_example_com")
	bind, _, _ := strings.Cut(got, "\n  mode")
	for options, want := range map[string]bool{path.BindOptions: true, first.BindOptions: true, late.BindOptions: false} {
		if strings.Contains(bind, options) != want {
			t.Errorf("option %q there: %t, want %t\n%s", options, !want, want, bind)
		}
	}
}
