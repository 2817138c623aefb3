package marathon_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

// Marathon is asked by its own IDs; whoever takes in what it said gets qualified ones.
func TestAllThatAWatcherHandsOnNamesItsCluster(t *testing.T) {
	t.Parallel()
	var ended []map[string]string
	cfg := marathon.WatcherConfig{Cluster: "east", Ended: func(_ context.Context, tasks map[string]string) { ended = append(ended, tasks) }}
	inShow(t, cfg, func(s *show) { s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true }, func(s *show) {
		t := s.t
		let(time.Second)
		s.hint(marathon.Hint{Type: "status_update_event", Apps: []string{"/1"}, Ended: "task"})
		let(time.Second)
		if len(s.snapshots) != 2 {
			t.Fatalf("%d snapshots, want 2", len(s.snapshots))
		}
		all, one := s.snapshots[0], s.snapshots[1]
		got := []string{all.Cluster, all.Services[0].App, all.Problems[0].App, one.Cluster, one.Apps[0], one.Services[0].App}
		want := []string{"east", "east:/a", "east:/bad", "east", "east:/1", "east:/1"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("clusters and apps (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]map[string]string{{"task": "east:/1"}}, ended); diff != "" {
			t.Errorf("ended (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"/1"}, s.readSingly()); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})
}

// Equal apps of two clusters should not be assigned the same port; each balancer comes to
// the same ones.
func TestAssignedServicePortsDependOnTheCluster(t *testing.T) {
	t.Parallel()
	opts := external()
	opts.Cluster = "east"
	got := routes(derive(t, opts, overlay("/a", 80, 81), overlay("/b", 80)))
	want := []string{"/a#1:10087 -> 9.0.0.1:81", "/a#0:10091 -> 9.0.0.1:80", "/b#0:10088 -> 9.0.0.1:80"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

// The brake compares what Marathon says with what it said, by Marathon's own IDs.
func TestTheBrakeHoldsWhatIsMissingInANamedCluster(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{Cluster: "east"}, external(), func(s *brakeScene) {
		t := s.t
		s.watcher.Refresh("signal")
		let(time.Second)
		want := s.tasks()
		if held := s.watcher.Status().Held; !held.Since.IsZero() || len(want) != 6 {
			t.Fatalf("an answer like the one before: tasks %q, held %+v", want, held)
		}
		s.set(three()[0])
		s.watcher.Refresh("signal")
		let(time.Second)
		if held := s.watcher.Status().Held; held.Endpoints != 4 || held.OfEndpoints != 6 {
			t.Errorf("held %+v, want 4 of 6 endpoints", held)
		}
		if diff := cmp.Diff(want, s.tasks()); diff != "" {
			t.Errorf("tasks (-want +got):\n%s", diff)
		}
		for _, service := range s.last.Services {
			if !strings.HasPrefix(service.App, "east:/") {
				t.Errorf("service of %s", service.App)
			}
		}
	})
}
