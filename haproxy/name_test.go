package haproxy_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery"
	"mlb/haproxy"
)

func endpoint(agent, address string, port int) discovery.Endpoint {
	return discovery.Endpoint{Agent: agent, Address: netip.MustParseAddr(address), Port: port, State: discovery.Ready}
}

// The wanted values are those of contract 6.
func TestNames(t *testing.T) {
	t.Parallel()
	shop := discovery.Service{App: "/shop/cart", ServicePort: 80, Hosts: []string{"a.example.com"}}
	named := discovery.Service{App: "/shop/pod", PortName: "http", Hosts: []string{"a.example.com"}}
	tests := map[string]struct{ got, want string }{
		"clean keeps letters, digits and hyphens": {haproxy.Clean("aZ-0.9_/x"), "aZ-0_9__x"},
		"clean replaces a character, not a byte":  {haproxy.Clean("é"), "_"},
		"backend of a nested app":                 {haproxy.BackendName("/shop/cart", 10001), "shop_cart_10001"},
		"backend keeps dots and hyphens":          {haproxy.BackendName("/a.b-c", 80), "a.b-c_80"},
		"backend of an app without slash":         {haproxy.BackendName("app", 1), "app_1"},
		"backend loses one slash only":            {haproxy.BackendName("//a", 1), "_a_1"},
		"server of an agent known by its address": {haproxy.ServerName(endpoint("10.0.0.1", "10.0.0.1", 31001)), "10_0_0_1_31001"},
		"server of an agent known by a name":      {haproxy.ServerName(endpoint("agent-1", "10.0.0.1", 31001)), "agent-1_10_0_0_1_31001"},
		"server with an IPv6 address":             {haproxy.ServerName(endpoint("::1", "::1", 80)), "__1_80"},
		"cookie of an address":                    {haproxy.Cookie("10_0_0_1_31001"), "5618f9873c"},
		"cookie of a name":                        {haproxy.Cookie("agent-1_10_0_0_1_31001"), "731dfe1717"},
		"host condition has the port":             {haproxy.HostConditionName(shop), "a_example_com_shop_cart_80"},
		"app condition has the port":              {haproxy.AppConditionName(shop), "_shop_cart_80"},
		"backend of a named port":                 {haproxy.ServiceBackendName(named), "shop_pod_http"},
		"host condition has the port's name":      {haproxy.HostConditionName(named), "a_example_com_shop_pod_http"},
		"app condition has the port's name":       {haproxy.AppConditionName(named), "_shop_pod_http"},
		"backend of a cluster's app":              {haproxy.BackendName("east:/shop/cart", 80), "east:shop_cart_80"},
		"app condition of a cluster's app":        {haproxy.AppConditionName(discovery.Service{App: "east:/shop/cart", ServicePort: 80}), "east__shop_cart_80"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("name (-want +got):\n%s", diff)
			}
		})
	}
}

// The wanted values are those of contract 6.2.
func TestServerID(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		servers []string
		want    []int
	}{
		"an address":                    {[]string{"10_0_0_1_31001"}, []int{26814}},
		"a name":                        {[]string{"agent-1_10_0_0_1_31001"}, []int{28746}},
		"hash of zero, and a collision": {[]string{"127_2_11_237_31001", "127_2_1_123_31001", "127_2_1_58_31001"}, []int{15664, 17709, 15831}},
		"another backend starts anew":   {[]string{"127_2_1_123_31001"}, []int{17709}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken := map[int]bool{}
			var got []int
			for _, s := range tt.servers {
				got = append(got, haproxy.ServerID(s, taken))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			for _, id := range got {
				if !taken[id] {
					t.Errorf("id %d is not taken afterwards", id)
				}
			}
		})
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"a": true, "aZ0-_.:": true, "": false, "a b": false, "a/b": false, "a,b": false, "é": false, "a\n": false,
		`a"`: false, "#": false,
	}
	for name, want := range tests {
		if got := haproxy.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %t, want %t", name, got, want)
		}
	}
}
