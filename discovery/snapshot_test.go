package discovery_test

import (
	"net/netip"
	"slices"
	"testing"

	"mlb/discovery"
)

func endpoint(agent string, port int) discovery.Endpoint {
	return discovery.Endpoint{Task: "t", Agent: agent, Address: netip.MustParseAddr("10.0.0.1"), Port: port, State: discovery.Ready}
}

// Two snapshots of the same facts are equal, whatever order they were found in.
func TestSnapshotsOfTheSameFactsAreEqual(t *testing.T) {
	t.Parallel()
	facts := func(reverse bool) discovery.Snapshot {
		services := []discovery.Service{
			{App: "/a", ServicePort: 10001, Endpoints: []discovery.Endpoint{endpoint("x", 1), endpoint("x", 2), endpoint("y", 1)}},
			{App: "/a", PortIndex: 1, ServicePort: 9000},
			{App: "/b", ServicePort: 80, Overrides: []discovery.Override{{Template: "A"}, {Template: "B", Text: "b"}}},
		}
		problems := []discovery.Problem{{App: "/a", Reason: "r"}, {App: "/a", Reason: "s"}, {App: "/b", PortIndex: -1}}
		if reverse {
			slices.Reverse(services)
			slices.Reverse(problems)
			for _, s := range services {
				slices.Reverse(s.Endpoints)
				slices.Reverse(s.Overrides)
			}
		}
		return discovery.NewSnapshot(services, problems)
	}
	if !facts(false).Equal(facts(true)) {
		t.Error("another order gave another snapshot")
	}
	if got := facts(true).Services[0].ServicePort; got != 9000 {
		t.Errorf("first service port %d, want the smallest of the app", got)
	}
}

func TestEveryFieldOfAServiceCounts(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*discovery.Service){
		"app":         func(s *discovery.Service) { s.App = "/b" },
		"port index":  func(s *discovery.Service) { s.PortIndex++ },
		"port":        func(s *discovery.Service) { s.ServicePort++ },
		"address":     func(s *discovery.Service) { s.BindAddress = "127.0.0.1" },
		"mode":        func(s *discovery.Service) { s.Mode = discovery.ModeTCP },
		"balance":     func(s *discovery.Service) { s.Balance = "first" },
		"hosts":       func(s *discovery.Service) { s.Hosts = []string{"h"} },
		"path":        func(s *discovery.Service) { s.Path = "/x" },
		"weight":      func(s *discovery.Service) { s.Weight++ },
		"sticky":      func(s *discovery.Service) { s.Sticky = true },
		"redirect":    func(s *discovery.Service) { s.RedirectToHTTPS = true },
		"check":       func(s *discovery.Service) { s.HealthCheck.Protocol = "TCP" },
		"override":    func(s *discovery.Service) { s.Overrides = []discovery.Override{{Template: "X"}} },
		"endpoint":    func(s *discovery.Service) { s.Endpoints = []discovery.Endpoint{endpoint("x", 1)} },
		"its absence": func(*discovery.Service) {},
	} {
		s := discovery.Service{App: "/a", Mode: discovery.ModeHTTP, Balance: "roundrobin"}
		o := s
		change(&o)
		if want := field == "its absence"; s.Equal(o) != want {
			t.Errorf("a change of %s: equal %t", field, !want)
		}
	}
}

func TestAnEmptyOverrideIsOne(t *testing.T) {
	t.Parallel()
	s := discovery.Service{Overrides: []discovery.Override{{Template: "A"}, {Template: "B", Text: "b"}}}
	if text, ok := s.Override("A"); !ok || text != "" {
		t.Errorf("override A: %q, %t", text, ok)
	}
	if _, ok := s.Override("C"); ok {
		t.Error("override C is found")
	}
}
