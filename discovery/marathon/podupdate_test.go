package marathon_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// TestUpdateOfAPodSaysWhatDerivingAllWouldSay, verdicts that are remembered included.
func TestUpdateOfAPodSaysWhatDerivingAllWouldSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		opts := external()
		opts.HealthCheck = rapid.Bool().Draw(rt, "health check")
		some, all := marathon.NewDeriver(opts, agents(), zap.NewNop()), marathon.NewDeriver(opts, agents(), zap.NewNop())
		listed := append([]marathon.App{app("/a", port(80, 10001), task("t", "10.0.0.1", 31000))}, podOf(t, "", "")...)
		some.Derive(t.Context(), listed)
		all.Derive(t.Context(), listed)
		for range rapid.IntRange(1, 8).Draw(rt, "changes") {
			var instances []string
			for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "3"}), 0, 3, rapid.ID[string]).Draw(rt, "instances") {
				i := instance(rapid.SampledFrom([]string{"STABLE", "DEGRADED", "STAGING", "TERMINAL"}).Draw(rt, "status"),
					rapid.SampledFrom([]string{"", `, "healthy": true`, `, "healthy": false`}).Draw(rt, "health"))
				instances = append(instances, strings.NewReplacer("instance-1", "instance-"+id, "10.0.0.1", "10.0.0."+id).Replace(i))
			}
			label := rapid.SampledFrom([]string{"", `, "HAPROXY_0_PORT": "10080"`, `, "HAPROXY_1_MODE": "nonsense"`}).Draw(rt, "label")
			listed[1] = podOf(t, label, strings.Join(instances, ","))[0]
			services, problems := all.Derive(t.Context(), listed)
			want := discovery.NewSnapshot(
				slices.DeleteFunc(services, func(s discovery.Service) bool { return s.App != "/p" }),
				slices.DeleteFunc(problems, func(p discovery.Problem) bool { return p.App != "/p" }))
			services, problems, ok := some.Update(t.Context(), listed[1:])
			if !ok {
				rt.Fatal("the pod is not covered")
			}
			if diff := cmp.Diff(want, discovery.NewSnapshot(services, problems), cmpopts.EquateEmpty(), cmpopts.EquateComparable(discovery.Endpoint{})); diff != "" {
				rt.Fatalf("snapshot (-all +some):\n%s", diff)
			}
		}
	})
}
