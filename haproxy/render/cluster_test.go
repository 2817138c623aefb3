package render_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlb/discovery"
	"mlb/haproxy"
)

// in returns proxies as those of a cluster, on other ports and for other hosts.
func in(cluster string, proxies []haproxy.Proxy, ports int) []haproxy.Proxy {
	var services []discovery.Service
	for _, p := range proxies {
		s := p.Service
		s.App, s.ServicePort = discovery.Qualify(cluster, s.App), s.ServicePort+ports
		s.Hosts = slices.Clone(s.Hosts)
		for i := range s.Hosts {
			s.Hosts[i] = cluster + "." + s.Hosts[i]
		}
		services = append(services, s)
	}
	claimed, _ := haproxy.Claim(services, haproxy.Claims{})
	return claimed
}

// What needs a name, a list of users or a map of its own has one in each cluster.
func TestEqualAppsOfSeveralClustersLoadWithoutWarning(t *testing.T) {
	t.Parallel()
	for name, f := range frames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newChecker(t, f)
			text := h.Render(slices.Concat(everything(), in("east", everything(), 100), in("w-2", everything(), 200)))
			if len(text.Problems) > 0 {
				t.Errorf("problems %v", text.Problems)
			}
			if said := h.says(t.Context(), text); len(said) > 0 {
				t.Errorf("HAProxy %s says: %s", h.version, said)
			}
		})
	}
}

// Whatever apps and clusters are called, and whichever host they share: each service has
// its sections and ACLs for itself, its ID leads to it, and HAProxy takes the text.
func TestEveryClustersServicesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	checkers := map[string]checker{}
	for name, f := range frames() {
		checkers[name] = newChecker(t, f)
	}
	names := slices.Sorted(maps.Keys(checkers))
	rapid.Check(t, func(rt *rapid.T) {
		h := checkers[rapid.SampledFrom(names).Draw(rt, "frame")]
		services := rapid.SliceOfNDistinct(rapid.Custom(anywhere), 2, 8, func(s discovery.Service) string { return s.App }).Draw(rt, "services")
		proxies, problems := haproxy.Claim(services, haproxy.Claims{})
		text := h.Render(proxies)
		if len(text.Problems) > 0 || slices.ContainsFunc(problems, func(p discovery.Problem) bool { return p.Reason != "service port taken" }) {
			rt.Fatalf("problems %v %v", problems, text.Problems)
		}
		distinctNames(rt, text.Config.Text())
		for _, p := range proxies {
			if got := byID(text.Config, p.App); got != p.Name {
				rt.Fatalf("ID %s leads to %q, want %q", p.App, got, p.Name)
			}
		}
		if said := h.says(t.Context(), text); len(said) > 0 {
			rt.Fatalf("HAProxy %s says: %s", h.version, said)
		}
	})
}

// anywhere is a service of any cluster. Underscores are left out: within a cluster IDs
// that differ in one and a slash have the same name, which is contract 6.1.
func anywhere(t *rapid.T) discovery.Service {
	cluster := rapid.SampledFrom([]string{"", "a", "a-a", "w2"}).Draw(t, "cluster")
	id := rapid.StringMatching(`(/[a.-]{1,2}){1,3}`).Draw(t, "id")
	s := web(discovery.Qualify(cluster, id), rapid.IntRange(10001, 10003).Draw(t, "port"), "a.example.com", "b.example.com").Service
	s.Hosts = s.Hosts[:rapid.IntRange(0, 2).Draw(t, "hosts")]
	if rapid.Bool().Draw(t, "auth") {
		s.Auth = discovery.Auth{Realm: "r", User: "u", Password: "$6$saltsalt$hash"}
	}
	// A template of its own makes rules with ACLs in the shared frontends.
	if rapid.Bool().Draw(t, "rules") {
		s.Overrides = []discovery.Override{
			{Template: "HTTP_FRONTEND_ACL", Text: "  acl host_{cleanedUpHostname} req.fhdr(host) -i {hostname}\n  use_backend {backend} if host_{cleanedUpHostname}\n"},
			{Template: "HTTP_FRONTEND_APPID_ACL", Text: "  acl app_{cleanedUpAppId} req.fhdr(x-marathon-app-id) -i {appId}\n  use_backend {backend} if app_{cleanedUpAppId}\n"},
			{Template: "MAP_HTTP_FRONTEND_APPID_ACL", Text: "  use_backend {backend} if app_{cleanedUpAppId}\n"},
		}
	}
	return s
}

// distinctNames fails if two sections of a kind have one name, or rules for two backends
// rest on one ACL.
func distinctNames(t *rapid.T, text string) {
	sections, leads := map[string]bool{}, map[string]string{}
	section := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && !strings.HasPrefix(line, " "):
			section = strings.Join(words, " ")
			if sections[section] {
				t.Fatalf("%s twice", section)
			}
			sections[section] = true
		case len(words) > 3 && words[0] == "use_backend" && words[2] == "if" && words[3] != "{":
			key := section + " " + words[3]
			if other := leads[key]; other != "" && other != words[1] {
				t.Fatalf("%s: acl %s leads to %s and to %s", section, words[3], other, words[1])
			}
			leads[key] = words[1]
		}
	}
}

// byID returns where an app ID leads: by a map, or by the rules of a service's own.
func byID(c haproxy.Config, app string) string {
	for _, f := range c.Files {
		if f.Name != "mlb_apps_ids.map" && f.Name != "app2backend.map" {
			continue
		}
		for line := range strings.Lines(f.Text) {
			if key, backend, _ := strings.Cut(strings.TrimSpace(line), " "); key == app {
				return backend
			}
		}
	}
	condition := ""
	for line := range strings.Lines(c.Text()) {
		switch words := strings.Fields(line); {
		case len(words) == 5 && words[0] == "acl" && words[2] == "req.fhdr(x-marathon-app-id)" && words[4] == app:
			condition = words[1]
		case len(words) == 4 && words[0] == "use_backend" && words[3] == condition:
			return words[1]
		}
	}
	return ""
}

// A label is confined to its service in one cluster, not to what is called like it.
func TestALabelOfOneClusterDoesNotTouchAnother(t *testing.T) {
	t.Parallel()
	for _, clusters := range [][2]string{{"", "east"}, {"east", ""}, {"east", "west"}} {
		mine, theirs := discovery.Qualify(clusters[0], "/a"), discovery.Qualify(clusters[1], "/a")
		bad, good := web(mine, 10000, "bad.example.com"), web(theirs, 10001, "good.example.com")
		want := newRenderer(t).Render([]haproxy.Proxy{good}).Config.Text()
		for what, rule := range map[string]string{
			"app ID":   fmt.Sprintf("  use_backend {backend} if {{ req.fhdr(x-marathon-app-id) -i %s }}\n", theirs),
			"ACL":      fmt.Sprintf("  acl app_%s req.fhdr(x-marathon-app-id) -i {appId}\n", haproxy.AppConditionName(discovery.Service{App: theirs, ServicePort: 10001})),
			"backend":  fmt.Sprintf("  use_backend %s if app_{cleanedUpAppId}\n", good.Name),
			"ACL name": fmt.Sprintf("  acl x_%s req.fhdr(x-marathon-app-id) -i {appId}\n", good.Name),
		} {
			got := newRenderer(t).Render([]haproxy.Proxy{labelled(bad, "HTTP_FRONTEND_APPID_ACL", rule), good})
			if diff := cmp.Diff(want, got.Config.Text()); diff != "" || len(got.Problems) != 1 || got.Problems[0].App != mine {
				t.Errorf("%s of %s in a label of %s: problems %+v, the others' configuration (-want +got):\n%s", what, theirs, mine, got.Problems, diff)
			}
		}
	}
}
