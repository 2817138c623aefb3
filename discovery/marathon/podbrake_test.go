package marathon_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mlb/discovery/marathon"
)

// TestWhatAnAnswerMayRemoveOfPods: what the answer lists has gone for a reason, though
// the pod wants more instances, and containers that have ended are no more in the list.
func TestWhatAnAnswerMayRemoveOfPods(t *testing.T) {
	t.Parallel()
	var before, degraded, terminal []string
	var served []string
	for _, n := range []string{"1", "2", "3"} {
		as := func(i string) string {
			return strings.NewReplacer("instance-1", "instance-"+n, "10.0.0.1", "10.0.0."+n).Replace(i)
		}
		before, degraded = append(before, as(instance("STABLE", ""))), append(degraded, as(instance("DEGRADED", `, "healthy": false`)))
		terminal = append(terminal, as(`{"id": "p.instance-1", "status": "TERMINAL", "containers": [{"name": "web", "endpoints": []}]}`))
		id := "p.instance-" + n
		served = append(served, id+".web", id+".web", id+".side")
	}
	wanting := func(instances []string) []marathon.App {
		pods := podOf(t, "", strings.Join(instances, ","))
		pods[0].Instances = 4
		return pods
	}
	for name, tt := range map[string]struct {
		then []marathon.App
		held bool
	}{
		"degraded":  {wanting(degraded), false},
		"terminal":  {wanting(terminal), false},
		"no pods":   {nil, true},
		"instances": {wanting(nil), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
				s.set(append(three(), wanting(before)...)...)
				s.watcher.Refresh("signal")
				let(2 * time.Second)
				got := s.tasks()
				for _, task := range served {
					if !slices.Contains(got, task) {
						t.Fatalf("served %v, want %s too", got, task)
					}
				}
				s.set(append(three(), tt.then...)...)
				s.watcher.Refresh("signal")
				let(2 * time.Second)
				if held := !s.watcher.Status().Held.Since.IsZero(); held != tt.held || held != slices.Contains(s.tasks(), served[0]) {
					t.Errorf("held: %v, want %v; served %v", held, tt.held, s.tasks())
				}
			})
		})
	}
}
