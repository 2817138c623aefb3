package marathon_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

func TestNetworkModeAddressesAndPorts(t *testing.T) {
	t.Parallel()
	inContainer := func(opts ...appOption) []appOption { return append(opts, networks("container")) }
	withMap := func(opts ...appOption) []appOption { return append(opts, mapping(80, 10000)) }
	theTask := []appOption{task("t", "10.0.0.1", 31000), at("9.0.0.1")}
	tests := map[string]struct {
		app  []appOption
		want string
	}{
		"nothing said is host": {
			slices.Concat([]appOption{ports(10000)}, theTask), "/a#0:10000 -> 10.0.0.1:31000",
		},
		"docker HOST is host": {
			slices.Concat([]appOption{dockerNetwork("HOST"), ports(10000)}, theTask), "/a#0:10000 -> 10.0.0.1:31000",
		},
		"docker BRIDGE uses the agent, although the task has an address": {
			slices.Concat(withMap(dockerNetwork("BRIDGE")), theTask), "/a#0:10000 -> 10.0.0.1:31000",
		},
		"docker USER uses the task's address and the container port": {
			slices.Concat(withMap(dockerNetwork("USER")), theTask), "/a#0:10000 -> 9.0.0.1:80",
		},
		"docker BRIDGE beats ipAddress": {
			slices.Concat(withMap(perTask(7), dockerNetwork("BRIDGE")), theTask), "/a#0:10000 -> 10.0.0.1:31000",
		},
		"networks beat docker": {
			slices.Concat(withMap(dockerNetwork("USER"), networks("container/bridge")), theTask),
			"/a#0:10000 -> 10.0.0.1:31000",
		},
		"the last network decides": {
			slices.Concat(withMap(networks("host", "container")), theTask), "/a#0:10000 -> 9.0.0.1:80",
		},
		"a network without mode is container": {
			slices.Concat(withMap(networks("container/bridge", "")), theTask), "/a#0:10000 -> 9.0.0.1:80",
		},
		"another mode uses the agent and the container port": {
			slices.Concat(withMap(networks("none"), definitions(10000)), theTask), "/a#0:10000 -> 10.0.0.1:80",
		},
		"discovery ports beat mappings": {
			slices.Concat(withMap(perTask(8080)), theTask), "/a#0:10000 -> 9.0.0.1:8080",
		},
		"host without task ports falls back to the definition": {
			[]appOption{definitions(10000), task("t", "10.0.0.1")}, "/a#0:10000 -> 10.0.0.1:10000",
		},
		"bridge without task ports falls back to the container port": {
			[]appOption{port(80, 10000), task("t", "10.0.0.1")}, "/a#0:10000 -> 10.0.0.1:80",
		},
		"host without any port has no service": {theTask, ""},
		"only the first address counts": {
			inContainer(mapping(80, 10000), task("t", "10.0.0.1"), at("9.0.0.1", "9.0.0.2")), "/a#0:10000 -> 9.0.0.1:80",
		},
		"an IPv6 address is taken as it is": {
			inContainer(mapping(80, 10000), task("t", "agent-1"), at("fd01:b::1")), "/a#0:10000 -> [fd01:b::1]:80",
		},
		"an IPv6 agent is taken as it is": {
			[]appOption{ports(10000), task("t", "fd01:b::2", 31000)}, "/a#0:10000 -> [fd01:b::2]:31000",
		},
		"a host name is resolved": {
			[]appOption{ports(10000), task("t", "agent-1", 31000)}, "/a#0:10000 -> 10.0.1.11:31000",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := []string{}
			if tt.want != "" {
				want = append(want, tt.want)
			}
			got := derive(t, external(), app("/a", tt.app...))
			if diff := cmp.Diff(want, routes(got)); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{}, reasons(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestK2ServicePorts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		app      []appOption
		want     []string
		problems []string
	}{
		"mappings beat definitions": {
			[]appOption{port(80, 10000), definitions(10009), ports(10008)}, []string{"/a#0:10000 ->"}, nil,
		},
		"mappings without service port leave it to the definitions": {
			[]appOption{port(80, -1), definitions(10009)}, []string{"/a#0:10009 ->"}, nil,
		},
		"definitions beat ports, even when there are none": {
			[]appOption{definitions(), ports(10008)}, []string{}, nil,
		},
		"mappings do not count in host mode": {
			[]appOption{mapping(80, 10000), networks("host"), ports(10008)}, []string{"/a#0:10008 ->"}, nil,
		},
		"pairing is by index, the shorter list decides": {
			[]appOption{ports(10000, 10001, 10002), task("t", "10.0.0.1", 31000, 31001), task("u", "10.0.0.2", 1, 2, 3, 4)},
			[]string{
				"/a#0:10000 -> 10.0.0.1:31000 10.0.0.2:1", "/a#1:10001 -> 10.0.0.1:31001 10.0.0.2:2",
				"/a#2:10002 -> 10.0.0.2:3",
			},
			nil,
		},
		"a missing service port moves later ones up, in labels and pairing (K2)": {
			[]appOption{
				port(80, -1), port(81, 10001), label("HAPROXY_0_PORT", "10777"), label("HAPROXY_1_PORT", "10888"),
				task("t", "10.0.0.1", 31000, 31001),
			},
			[]string{"/a#0:10777 -> 10.0.0.1:31000"},
			[]string{"/a#-1: missing service port", "/a#1 HAPROXY_1_PORT: label of a missing port"},
		},
		"a port listed twice is one service: last definition, all task ports (K4)": {
			[]appOption{
				ports(10000, 10001, 10000), label("HAPROXY_0_VHOST", "zero.example"), label("HAPROXY_2_PORT", "10222"),
				task("t", "10.0.0.1", 31000, 31001, 31002),
			},
			[]string{"/a#1:10001 -> 10.0.0.1:31001", "/a#2:10222 -> 10.0.0.1:31000 10.0.0.1:31002"},
			[]string{"/a#0: repeated service port"},
		},
		"port 0 and ports out of range are kept for a later hop (D31)": {
			[]appOption{ports(0, 70000, -1), task("t", "10.0.0.1", 31000, 31001, 31002)},
			[]string{"/a#2:-1 -> 10.0.0.1:31002", "/a#0:0 -> 10.0.0.1:31000", "/a#1:70000 -> 10.0.0.1:31001"},
			nil,
		},
		"a task port that is none is skipped": {
			[]appOption{ports(10000, 10001), task("t", "10.0.0.1", 0, 31001)},
			[]string{"/a#0:10000 ->", "/a#1:10001 -> 10.0.0.1:31001"},
			[]string{"/a#-1: bad task port"},
		},
		"a null in ports keeps its place": {
			[]appOption{
				func(a *marathon.App) { a.Ports = []*int{nil, new(10001)} }, task("t", "10.0.0.1", 31000, 31001),
			},
			[]string{"/a#1:10001 -> 10.0.0.1:31001"},
			[]string{"/a#0: no service port to assign"},
		},
		"a service without any task is there, without endpoints (D62)": {
			[]appOption{ports(10000)}, []string{"/a#0:10000 ->"}, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := derive(t, external(), app("/a", tt.app...))
			if diff := cmp.Diff(tt.want, routes(got)); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, tt.problems...), reasons(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// overlay is an app whose service ports Marathon does not assign.
func overlay(id string, containerPorts ...int) marathon.App {
	return app(id, perTask(containerPorts...), task(id+".t", "10.0.0.1"), at("9.0.0.1"))
}

func TestK3AssignedServicePorts(t *testing.T) {
	t.Parallel()
	t.Run("the vectors of contract 2.6, one after the other", func(t *testing.T) {
		t.Parallel()
		got := derive(t, external(), overlay("/a", 80, 81), overlay("/shop/cart", 8080), overlay("/b", 80))
		want := []string{
			"/a#0:10065 -> 9.0.0.1:80", "/a#1:10093 -> 9.0.0.1:81", "/b#0:10059 -> 9.0.0.1:80",
			"/shop/cart#0:10073 -> 9.0.0.1:8080",
		}
		if diff := cmp.Diff(want, routes(got)); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
	})
	t.Run("apps of other groups take their ports too, so that all balancers agree", func(t *testing.T) {
		t.Parallel()
		opts := external()
		opts.MaxServicePort = opts.MinServicePort // one port for all
		other := overlay("/other", 80)
		other.Labels["HAPROXY_GROUP"] = "internal"
		got := derive(t, opts, other, overlay("/mine", 80))
		if len(got.Services) != 0 {
			t.Errorf("routes %v, want none: the port is taken", routes(got))
		}
	})
	t.Run("the order of the answer decides when hashes clash (K3)", func(t *testing.T) {
		t.Parallel()
		first := routes(derive(t, external(), overlay("/r", 1), overlay("/u", 1)))
		if diff := cmp.Diff([]string{"/r#0:10080 -> 9.0.0.1:1", "/u#0:10050 -> 9.0.0.1:1"}, first); diff != "" {
			t.Errorf("/r first (-want +got):\n%s", diff)
		}
		second := routes(derive(t, external(), overlay("/u", 1), overlay("/r", 1)))
		if diff := cmp.Diff([]string{"/r#0:10072 -> 9.0.0.1:1", "/u#0:10080 -> 9.0.0.1:1"}, second); diff != "" {
			t.Errorf("/u first (-want +got):\n%s", diff)
		}
	})
	t.Run("without a hash that is free, the smallest free port", func(t *testing.T) {
		t.Parallel()
		opts := external()
		var apps []marathon.App
		size := opts.MaxServicePort - opts.MinServicePort + 1
		for i := range size + 1 {
			apps = append(apps, overlay(fmt.Sprintf("/full/%d", i), 80))
		}
		got := derive(t, opts, apps...)
		seen := map[int]bool{}
		for _, s := range got.Services {
			seen[s.ServicePort] = true
		}
		if len(got.Services) != size || len(seen) != size {
			t.Errorf("%d services on %d ports, want %d", len(got.Services), len(seen), size)
		}
	})
	t.Run("an exhausted range is reported", func(t *testing.T) {
		t.Parallel()
		opts := external()
		opts.MaxServicePort = opts.MinServicePort
		got := derive(t, opts, overlay("/a", 80, 81))
		if diff := cmp.Diff([]string{"/a#0:10050 -> 9.0.0.1:80"}, routes(got)); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"/a#1: no service port to assign"}, reasons(got)); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
	t.Run("both bounds 0 switch it off", func(t *testing.T) {
		t.Parallel()
		opts := external()
		opts.MinServicePort, opts.MaxServicePort = 0, 0
		if got := derive(t, opts, overlay("/a", 80)); len(got.Services) != 0 {
			t.Errorf("routes %v, want none", routes(got))
		}
	})
	t.Run("an app without tasks gets none", func(t *testing.T) {
		t.Parallel()
		if got := derive(t, external(), app("/a", perTask(80))); len(got.Services) != 0 {
			t.Errorf("routes %v, want none", routes(got))
		}
	})
	t.Run("only in mode container", func(t *testing.T) {
		t.Parallel()
		got := derive(t, external(), app("/a", port(80, -1), task("t", "10.0.0.1", 31000)))
		if len(got.Services) != 0 {
			t.Errorf("routes %v, want none", routes(got))
		}
	})
	t.Run("two task ports of an app that are equal share a service", func(t *testing.T) {
		t.Parallel()
		got := derive(t, external(), overlay("/a", 80, 80))
		if diff := cmp.Diff([]string{"/a#1:10065 -> 9.0.0.1:80 9.0.0.1:80"}, routes(got)); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
	})
}
