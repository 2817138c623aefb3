package haproxy_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/haproxy"
)

// service is an app's port with a service port and, if given, a bind address.
func service(app string, index, port int, bind ...string) discovery.Service {
	s := discovery.Service{App: app, PortIndex: index, ServicePort: port, Mode: discovery.ModeTCP, Balance: "roundrobin"}
	if len(bind) > 0 {
		s.BindAddress = bind[0]
	}
	return s
}

// named is an app's port without a service port.
func named(app string, index int, name string) discovery.Service {
	s := service(app, index, 0)
	s.PortName = name
	return s
}

func TestClaim(t *testing.T) {
	t.Parallel()
	type services = []discovery.Service
	const none = "" // no frontend
	tests := map[string]struct {
		services services
		claims   haproxy.Claims
		want     []string // "app index name bind" in the order of the result
		problems []string // "app index reason"
	}{
		"nobody": {nil, haproxy.Claims{}, nil, nil},
		"each its own port": {
			services{service("/a", 0, 10001), service("/b", 0, 10002)},
			haproxy.Claims{},
			[]string{"/a 0 a_10001 *:10001", "/b 0 b_10002 *:10002"},
			nil,
		},
		"the default address": {
			services{service("/a", 0, 1), service("/b", 0, 1, "127.0.0.2")},
			haproxy.Claims{DefaultAddress: "127.0.0.1"},
			[]string{"/a 0 a_1 127.0.0.1:1", "/b 0 b_1 127.0.0.2:1"},
			nil,
		},
		"the smaller app binds, the other keeps its hosts (D30)": {
			services{service("/b", 0, 1), service("/a", 0, 1)},
			haproxy.Claims{},
			[]string{"/a 0 a_1 *:1", "/b 0 b_1 " + none},
			[]string{"/b 0 service port taken"},
		},
		"the smaller app binds whatever its index (D30)": {
			services{service("/b", 0, 1), service("/a", 7, 1)},
			haproxy.Claims{},
			[]string{"/a 7 a_1 *:1", "/b 0 b_1 " + none},
			[]string{"/b 0 service port taken"},
		},
		"three on one port": {
			services{service("/a", 0, 1), service("/b", 0, 1), service("/c", 0, 1)},
			haproxy.Claims{},
			[]string{"/a 0 a_1 *:1", "/b 0 b_1 " + none, "/c 0 c_1 " + none},
			[]string{"/b 0 service port taken", "/c 0 service port taken"},
		},
		"two ports of one app on one service port are left out": {
			services{service("/a", 0, 1), service("/a", 1, 1), service("/a", 2, 2)},
			haproxy.Claims{},
			[]string{"/a 2 a_2 *:2"},
			[]string{"/a 0 service port used twice in the app", "/a 1 service port used twice in the app"},
		},
		"twins hold nothing that others could lose": {
			services{service("/a", 0, 1), service("/a", 1, 1), service("/b", 0, 1)},
			haproxy.Claims{},
			[]string{"/b 0 b_1 *:1"},
			[]string{"/a 0 service port used twice in the app", "/a 1 service port used twice in the app"},
		},
		"twins on different addresses are twins too": {
			services{service("/a", 0, 1, "127.0.0.1"), service("/a", 1, 1, "127.0.0.2")},
			haproxy.Claims{},
			nil,
			[]string{"/a 0 service port used twice in the app", "/a 1 service port used twice in the app"},
		},
		"one port on two addresses": {
			services{service("/a", 0, 1, "127.0.0.1"), service("/b", 0, 1, "127.0.0.2")},
			haproxy.Claims{},
			[]string{"/a 0 a_1 127.0.0.1:1", "/b 0 b_1 127.0.0.2:1"},
			nil,
		},
		"a wildcard takes all addresses": {
			services{service("/a", 0, 1, "0.0.0.0"), service("/b", 0, 1, "127.0.0.2")},
			haproxy.Claims{},
			[]string{"/a 0 a_1 0.0.0.0:1", "/b 0 b_1 " + none},
			[]string{"/b 0 service port taken"},
		},
		"an address keeps the wildcard out": {
			services{service("/a", 0, 1, "127.0.0.2"), service("/b", 0, 1)},
			haproxy.Claims{},
			[]string{"/a 0 a_1 127.0.0.2:1", "/b 0 b_1 " + none},
			[]string{"/b 0 service port taken"},
		},
		"IPv6 is in brackets and another family": {
			services{service("/a", 0, 1, "::"), service("/b", 0, 1), service("/c", 0, 2, "::1")},
			haproxy.Claims{},
			[]string{"/a 0 a_1 [::]:1", "/b 0 b_1 *:1", "/c 0 c_2 [::1]:2"},
			nil,
		},
		"an IPv6 wildcard takes all of its family": {
			services{service("/a", 0, 1, "::"), service("/b", 0, 1, "fe80::1")},
			haproxy.Claims{},
			[]string{"/a 0 a_1 [::]:1", "/b 0 b_1 " + none},
			[]string{"/b 0 service port taken"},
		},
		"an IPv6 address is one however written": {
			services{service("/a", 0, 1, "::1"), service("/b", 0, 1, "0:0::1"), service("/c", 0, 1, "[::1]")},
			haproxy.Claims{},
			[]string{"/a 0 a_1 [::1]:1", "/b 0 b_1 " + none, "/c 0 c_1 " + none},
			[]string{"/b 0 service port taken", "/c 0 service port taken"},
		},
		"mlb's own listeners are not given away (D31)": {
			services{service("/a", 0, 80), service("/b", 0, 9090, "127.0.0.2")},
			haproxy.Claims{Own: []string{"*:80", "127.0.0.1:9090"}},
			[]string{"/a 0 a_80 " + none, "/b 0 b_9090 127.0.0.2:9090"},
			[]string{"/a 0 service port taken"},
		},
		"what another process holds is not taken": {
			services{service("/a", 0, 5432), service("/b", 0, 5433)},
			haproxy.Claims{Taken: []string{"127.0.0.1:5432", "[::1]:5433"}},
			[]string{"/a 0 a_5432 " + none, "/b 0 b_5433 *:5433"},
			[]string{"/a 0 service port taken"},
		},
		"ports out of range have no frontend (D31)": {
			services{service("/a", 0, 0), service("/b", 0, 65536), service("/c", 0, 65535), service("/d", 0, 1), service("/e", 0, -1)},
			haproxy.Claims{},
			[]string{"/a 0 a_0 " + none, "/b 0 b_65536 " + none, "/c 0 c_65535 *:65535", "/d 0 d_1 *:1", "/e 0 e_-1 " + none},
			[]string{"/a 0 service port out of range", "/b 0 service port out of range", "/e 0 service port out of range"},
		},
		"ports without a service port have no frontend, and that is no problem": {
			services{named("/a", 0, "http"), named("/a", 1, "metrics"), service("/a", 2, 1)},
			haproxy.Claims{},
			[]string{"/a 2 a_1 *:1", "/a 0 a_http " + none, "/a 1 a_metrics " + none},
			nil,
		},
		"a port may be called like another one's number, and only one is served": {
			services{service("/a/b", 0, 1), named("/a_b", 0, "1")},
			haproxy.Claims{},
			[]string{"/a/b 0 a_b_1 *:1"},
			[]string{"/a_b 0 name taken"},
		},
		"a name belongs to the smaller app": {
			services{service("/a_b", 0, 1), service("/a/b", 0, 1)},
			haproxy.Claims{},
			[]string{"/a/b 0 a_b_1 *:1"},
			[]string{"/a_b 0 name taken"},
		},
		"a name must be one for HAProxy": {
			services{service("/a b", 0, 1), service("/ä", 0, 2), service("/c", 0, 1)},
			haproxy.Claims{},
			[]string{"/c 0 c_1 *:1"},
			[]string{"/a b 0 invalid name", "/ä 0 invalid name"},
		},
		"the result is in rendering order": {
			services{service("/a", 0, 20), service("/a", 1, 10), service("/A", 0, 30)},
			haproxy.Claims{},
			[]string{"/A 0 A_30 *:30", "/a 1 a_10 *:10", "/a 0 a_20 *:20"},
			nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			input := slices.Clone(tt.services)
			// The order of the input does not matter.
			for range len(input) + 1 {
				proxies, problems := haproxy.Claim(input, tt.claims)
				var got, wrong []string
				for _, p := range proxies {
					got = append(got, fmt.Sprintf("%s %d %s %s", p.App, p.PortIndex, p.Name, p.Bind))
				}
				for _, p := range problems {
					wrong = append(wrong, fmt.Sprintf("%s %d %s", p.App, p.PortIndex, p.Reason))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("proxies (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.problems, wrong); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
				if len(input) > 0 {
					input = append(input[1:], input[0])
				}
			}
		})
	}
}

func TestTheLoserIsToldWhoWon(t *testing.T) {
	t.Parallel()
	_, got := haproxy.Claim([]discovery.Service{service("/b", 0, 1), service("/a", 3, 1)}, haproxy.Claims{})
	want := []discovery.Problem{{
		App: "/b", Value: "1", Reason: "service port taken",
		Detail: "service port 1 on * is held by /a port index 3; only hosts and app id lead to the service",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestSplitBindUndoesJoinBind(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"*", "127.0.0.1", "::1", "::", "eth0", ""} {
		bind := haproxy.JoinBind(address, 8080)
		if a, p := haproxy.SplitBind(bind); a != address || p != 8080 {
			t.Errorf("SplitBind(%q) = %q, %d", bind, a, p)
		}
	}
	for bind, want := range map[string]int{"*": 0, "*:": 0, "*:x": 0, ":80": 80} {
		if _, got := haproxy.SplitBind(bind); got != want {
			t.Errorf("port of %q = %d, want %d", bind, got, want)
		}
	}
}
