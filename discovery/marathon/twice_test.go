package marathon_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// K4: a port that an app lists twice is one service, defined by the labels of the
// last place, with the task ports of both; that is reported.
func TestK4APortListedTwiceIsOneService(t *testing.T) {
	t.Parallel()
	got := derive(t, external(), app("/a", ports(10000, 10000), label("HAPROXY_0_VHOST", "first.example.com"),
		label("HAPROXY_1_VHOST", "last.example.com"), task("t", "10.0.0.1", 31001, 31002)))
	if diff := cmp.Diff([]string{"/a#1:10000 -> 10.0.0.1:31001 10.0.0.1:31002"}, routes(got)); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if s := got.Services[0]; len(s.Hosts) != 1 || s.Hosts[0] != "last.example.com" {
		t.Errorf("hosts %q, want last.example.com", s.Hosts)
	}
	if len(got.Problems) != 1 || got.Problems[0].PortIndex != 0 {
		t.Errorf("problems %+v, want one about index 0", got.Problems)
	}
}
