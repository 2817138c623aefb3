package marathon_test

import (
	"strings"
	"testing"
	"time"

	"mlb/discovery/marathon"
)

// Marathon tells of each change several times.
func TestWhatHasBeenReadOfAnAppIsNotReadAgain(t *testing.T) {
	t.Parallel()
	status := func(task string, serves bool) marathon.Hint {
		return marathon.Hint{Type: "status_update_event", Apps: []string{"/1"}, News: marathon.News{Task: task, Serves: serves}}
	}
	instance := func(id string, serves bool) marathon.Hint {
		return marathon.Hint{Type: "instance_changed_event", Apps: []string{"/1"}, News: marathon.News{Instance: id, Serves: serves}}
	}
	announced := marathon.Hint{Type: "api_post_event", Apps: []string{"/1"}, Ahead: true}
	over := marathon.Hint{Type: "deployment_success", Apps: []string{"/1"}, Deployment: true, Ahead: true, News: marathon.News{Over: true}}
	late := func(h marathon.Hint) marathon.Hint { h.Ahead = true; return h }
	for name, tt := range map[string]struct {
		before []marathon.Hint // what the reading is about
		after  []marathon.Hint
		again  bool // it is read
	}{
		"a task that serves":                         {nil, []marathon.Hint{status("1.instance-a._app.1", true)}, false},
		"its instance":                               {nil, []marathon.Hint{instance("1.instance-a", true)}, false},
		"an instance of Marathon 1.4":                {nil, []marathon.Hint{instance("1.marathon-b", true)}, false},
		"another one":                                {nil, []marathon.Hint{instance("1.instance-c", true)}, true},
		"an instance that only begins like it":       {nil, []marathon.Hint{instance("1.inst", true)}, true},
		"a task that nobody has read":                {nil, []marathon.Hint{status("1.instance-a._app.2", true)}, true},
		"a task that ends":                           {nil, []marathon.Hint{status("1.instance-a._app.1", false)}, true},
		"a task that was ending when it was read":    {nil, []marathon.Hint{status("1.ending", false)}, false},
		"a task that is gone":                        {nil, []marathon.Hint{status("1.gone", false)}, false},
		"a task that is on its way":                  {nil, []marathon.Hint{late(status("1.new", false)), late(instance("1.new", false))}, false},
		"news among other things":                    {nil, []marathon.Hint{status("1.gone", false), {Type: "x", Apps: []string{"/1"}}}, true},
		"other things among news":                    {nil, []marathon.Hint{{Type: "x", Apps: []string{"/1"}}, status("1.gone", false)}, true},
		"what is announced":                          {nil, []marathon.Hint{announced}, true},
		"what is announced, with news":               {nil, []marathon.Hint{announced, status("1.gone", false)}, true},
		"the end of a deployment":                    {[]marathon.Hint{announced}, []marathon.Hint{over}, false},
		"the end of one that was missed":             {nil, []marathon.Hint{over}, true},
		"the end of one that was read before it was": {nil, []marathon.Hint{announced, over}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inShow(t, marathon.WatcherConfig{}, func(s *show) {
				s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true
				s.tasks = []marathon.Task{{ID: "1.instance-a._app.1", State: "TASK_RUNNING"}, {ID: "1.b"}, {ID: "1.ending", State: "TASK_KILLING"}}
			}, func(s *show) {
				t := s.t
				let(time.Second)
				for _, h := range append(tt.before, marathon.Hint{Type: "x", Apps: []string{"/1"}}) {
					s.hint(h)
					let(10 * time.Millisecond)
				}
				let(time.Second)
				before := len(s.readSingly())
				for _, h := range tt.after {
					s.hint(h)
				}
				let(time.Second)
				if got := len(s.readSingly()) - before; before != 1 || got > 1 || (got == 1) != tt.again {
					t.Errorf("read %d times, then %d times, want again: %v", before, got, tt.again)
				}
				if lists := len(s.began()) - 1; lists != 0 {
					t.Errorf("%d lists", lists)
				}
			})
		})
	}
}

// A list shows all apps, and keeping that of each would take memory.
func TestNewsAfterAListIsRead(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, func(s *show) {
		s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true
	}, func(s *show) {
		gone := marathon.Hint{Type: "status_update_event", Apps: []string{"/1"}, News: marathon.News{Task: "1.gone"}}
		for _, want := range []int{1, 1} { // the second time it is known
			let(time.Second)
			s.hint(gone)
			let(time.Second)
			if got := len(s.readSingly()); got != want {
				s.t.Errorf("read %d times, want %d", got, want)
			}
		}
		s.hint(marathon.Hint{Type: "x", All: true})
		let(time.Second)
		s.hint(gone)
		let(time.Second)
		if got := len(s.readSingly()); got != 2 {
			s.t.Errorf("read %d times, want 2", got)
		}
	})
}

func TestHealthIsNoHintWhereVerdictsDoNotMatter(t *testing.T) {
	t.Parallel()
	for _, ignore := range []bool{false, true} {
		inShow(t, marathon.WatcherConfig{IgnoreHealth: ignore}, func(s *show) {
			s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true
		}, func(s *show) {
			let(time.Second)
			s.hint(marathon.Hint{Type: "health_status_changed_event", Apps: []string{"/1"}, Health: true})
			let(time.Second)
			if got := len(s.readSingly()); (got == 0) != ignore {
				s.t.Errorf("read %d times, ignored %v", got, ignore)
			}
		})
	}
}

// Deployments follow each other; what a group says is about the last one.
func TestAGroupIsReadByTheAppsOfOneDeploymentOnly(t *testing.T) {
	t.Parallel()
	many := []string{"/1", "/2", "/3"}
	inShow(t, marathon.WatcherConfig{}, func(s *show) {
		s.covers, s.exists, s.updates = many, many, true
	}, func(s *show) {
		let(time.Second)
		for _, app := range many {
			s.hint(marathon.Hint{Type: "deployment_info", Apps: []string{app}, Deployment: true, Ahead: true})
			s.hint(marathon.Hint{Type: "group_change_success", All: true, Group: true, Ahead: true})
			let(500 * time.Millisecond)
		}
		let(5 * time.Second)
		if got := s.readSingly(); len(got) != 3 || len(s.began()) != 1 {
			s.t.Errorf("read %q and %d lists, want each once and one list", got, len(s.began()))
		}
	})
}

// The tasks of a deleted app end when it is long gone from the list.
func TestTheEndOfADeletedAppCostsNoList(t *testing.T) {
	t.Parallel()
	ends := marathon.Hint{Type: "status_update_event", Apps: []string{"/gone"}, News: marathon.News{Task: "gone.1"}, Ends: "gone.1"}
	over := marathon.Hint{Type: "deployment_success", Apps: []string{"/gone"}, Deployment: true, Ahead: true, News: marathon.News{Over: true}}
	begins := marathon.Hint{Type: "status_update_event", Apps: []string{"/gone"}, News: marathon.News{Task: "gone.2", Serves: true}}
	inShow(t, marathon.WatcherConfig{}, nil, func(s *show) {
		t := s.t
		let(time.Second)
		s.hint(marathon.Hint{Type: "deployment_info", Apps: []string{"/gone"}, Deployment: true, Ahead: true, Gone: []string{"/gone"}})
		let(time.Second)
		for _, h := range []marathon.Hint{ends, over, ends, {Type: "app_terminated_event", Apps: []string{"/gone"}, News: marathon.News{Gone: true}}} {
			s.hint(h)
			let(time.Second)
		}
		if n := len(s.began()); n != 2 {
			t.Errorf("%d lists, want the first one and one after the announcement", n)
		}
		s.hint(begins)
		let(time.Second)
		if n := len(s.began()); n != 3 {
			t.Errorf("%d lists, want another one when a task begins", n)
		}
	})
}

// Marathon may tell that a task runs before it knows its address, and tells it again then.
func TestATaskThatWasReadWithoutItsAddressIsReadAgain(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		a := func(option appOption) marathon.App {
			return app("/a", networks("container"), mapping(8080, 10000), task("a.1", "10.0.0.1"), option)
		}
		runs := marathon.Hint{Type: "status_update_event", Apps: []string{"/a"}, News: marathon.News{Task: "a.1", Serves: true}}
		s.set(a(last(func(*marathon.Task) {})), three()[1], three()[2])
		s.hint(runs)
		let(time.Second)
		s.want("without its address", "b.3", "b.4", "c.5", "c.6")
		s.set(a(at("9.0.0.1")), three()[1], three()[2])
		s.hint(runs)
		let(time.Second)
		s.want("with its address", "a.1", "b.3", "b.4", "c.5", "c.6")
	})
}

// What Marathon lists of a task that it cannot reach may be less than before.
func TestATaskThatWasReadAsUnreachableIsReadAgain(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		lost := three()[0]
		lost.Tasks[0].State, lost.Tasks[0].Ports = "TASK_UNREACHABLE", nil
		s.set(lost, three()[1], three()[2])
		s.hint(marathon.Hint{Type: "status_update_event", Apps: []string{"/a"}, Ends: "a.1"})
		let(time.Second)
		s.want("unreachable", all()[1:]...)
		s.set(three()...)
		s.hint(marathon.Hint{Type: "status_update_event", Apps: []string{"/a"}, News: marathon.News{Task: "a.1", Serves: true}})
		let(time.Second)
		s.want("afterwards", all()...)
	})
}

// A container of a pod is a task of its own: one that ends need not end its instance.
func TestAContainerThatEndsIsReadThoughItsInstanceServes(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		running := instance("STABLE", "")
		s.set(podOf(t, "", running)...)
		s.watcher.Refresh("signal")
		let(time.Minute)
		s.hint(marathon.Hint{Type: "x", Apps: []string{"/p"}})
		let(time.Second)
		s.want("before", "p.instance-1.web", "p.instance-1.web", "p.instance-1.side")
		s.set(podOf(t, "", strings.Replace(running, `"side", "status": "TASK_RUNNING"`, `"side", "status": "TASK_FINISHED"`, 1))...)
		s.hint(marathon.Hint{Type: "status_update_event", Apps: []string{"/p"}, News: marathon.News{Task: "p.instance-1.side"}})
		let(time.Second)
		s.want("after its end", "p.instance-1.web", "p.instance-1.web")
	})
}
