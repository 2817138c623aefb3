package marathon_test

import (
	"testing"
	"time"

	"mlb/discovery/marathon"
)

// TestWhatIsHeldOfAnAppStaysWhenTheAppIsRead by itself, unless there is a reason.
func TestWhatIsHeldOfAnAppStaysWhenTheAppIsRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		event marathon.Hint
		then  marathon.App
		want  []string
	}{
		"a task of it begins":  {marathon.Hint{Type: "status_update_event", News: marathon.News{Task: "b.9", Serves: true}}, wanting("/b", 2, 9), []string{"b.3", "b.4", "b.9"}},
		"a check says no":      {marathon.Hint{Type: "health_status_changed_event", Health: true}, wanting("/b", 2), []string{"b.3", "b.4"}},
		"it was defined anew":  {marathon.Hint{Type: "api_post_event", Ahead: true}, wanting("/b", 2), []string{"b.3", "b.4"}},
		"a task of it ends":    {marathon.Hint{Type: "status_update_event", Ends: "b.3"}, wanting("/b", 2), []string{"b.4"}},
		"it is scaled down":    {marathon.Hint{Type: "deployment_info", Deployment: true, Ahead: true}, wanting("/b", 1, 4), []string{"b.4"}},
		"it is being deleted":  {marathon.Hint{Type: "deployment_info", Gone: []string{"/b"}, Deployment: true, Ahead: true}, wanting("/b", 2), nil},
		"it has what it wants": {marathon.Hint{Type: "x"}, wanting("/b", 2, 8, 9), []string{"b.8", "b.9"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
				s.set(wanting("/a", 2), wanting("/b", 2), wanting("/c", 2)) // a leader without tasks
				s.watcher.Refresh("reconnect")
				let(time.Second)
				s.want("held", all()...)
				s.set(wanting("/a", 2), tt.then, wanting("/c", 2))
				tt.event.Apps = []string{"/b"}
				s.hint(tt.event)
				let(2 * time.Second)
				s.want("after the event", append(append([]string{"a.1", "a.2"}, tt.want...), "c.5", "c.6")...)
			})
		})
	}
}

func TestWhatIsHeldLeavesAnAddressThatAnotherAppHas(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		s.set(app("/z", ports(10001), task("z.1", "10.0.0.1", 1001))) // where a.1 was
		s.watcher.Refresh("signal")
		let(time.Second)
		s.want("held", "a.2", "b.3", "b.4", "c.5", "c.6", "z.1")
	})
}

// No event tells of an app that crashes again and again where there is no stream.
func TestAHoldEndsBesideAnAppThatCrashesAllTheTime(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{Mode: marathon.Poll, PollInterval: time.Minute}, everything(), func(s *brakeScene) {
		s.set(wanting("/c", 1, 100)) // the others have been deleted
		s.watcher.Refresh("signal")
		for i := range 4 {
			let(10 * time.Second)
			s.set(wanting("/c", 1))
			if i%2 == 1 {
				s.set(wanting("/c", 1, 101+i))
			}
		}
		let(2 * time.Second)
		if got, held := s.tasks(), s.watcher.Status().Held; len(got) > 1 || !held.Since.IsZero() {
			t.Errorf("%q are served, held %+v", got, held)
		}
	})
}

// A leader that has lost the tasks starts others at once.
func TestTasksThatDoNotRunYetAreNoReasonForOthersToBeGone(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		apps := []marathon.App{wanting("/a", 2, 11, 12), wanting("/b", 2, 13, 14), wanting("/c", 2, 15, 16)}
		for i := range apps {
			for k := range apps[i].Tasks {
				apps[i].Tasks[k].State = "TASK_STAGING"
			}
		}
		s.set(apps...)
		s.watcher.Refresh("reconnect")
		let(time.Second)
		s.want("while the others start", all()...)
		s.set(wanting("/a", 2, 11, 12), apps[1], apps[2])
		s.watcher.Refresh("signal")
		let(time.Second)
		s.want("when some run", "a.11", "a.12", "b.3", "b.4", "c.5", "c.6")
	})
}

// The list of another cluster has as many apps as this one.
func TestWhatAHeldAnswerAddsMakesItsLossNoSmaller(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		other := []string{"x.11", "x.12", "y.13", "y.14", "z.15", "z.16"}
		s.set(wanting("/x", 2, 11, 12), wanting("/y", 2, 13, 14), wanting("/z", 2, 15, 16))
		s.watcher.Refresh("signal")
		for range 5 {
			let(5 * time.Second)
			s.want("while held", append(all(), other...)...)
			s.watcher.Refresh("signal")
		}
		let(15 * time.Second)
		s.want("after the confirmations", other...)
	})
}

func TestAnAnswerThatIsHeldDoesNotMakeReadinessForgotten(t *testing.T) {
	t.Parallel()
	opts := everything()
	opts.Readiness = true
	inBrake(t, marathon.WatcherConfig{}, opts, func(s *brakeScene) {
		checked := func(deployed bool) []marathon.App {
			apps := three()
			for i := range apps {
				apps[i].ReadinessChecks, apps[i].Version = 1, "v"
				if deployed {
					apps[i].Deployments++
				}
				for k := range apps[i].Tasks {
					apps[i].Tasks[k].Version = "v"
				}
			}
			return apps
		}
		for _, answer := range [][]marathon.App{checked(false), checked(true), nil, checked(true)} {
			s.set(answer...)
			s.watcher.Refresh("signal")
			let(time.Second)
			s.want("whatever was said", all()...)
		}
	})
}
