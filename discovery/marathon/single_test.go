package marathon_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

// A change of one app among thousands costs one small answer, not the list.
func TestAppsThatDecideForThemselvesAreReadOneByOne(t *testing.T) {
	t.Parallel()
	many := []string{"/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"}
	for name, tt := range map[string]struct {
		hint    marathon.Hint
		prepare func(*puppet)
		singles []string
		lists   int // besides the first one
		apps    []string
	}{
		"one": {hint: marathon.Hint{Type: "x", Apps: []string{"/1"}}, singles: many[:1], apps: many[:1]},
		"several are one snapshot": {
			hint: marathon.Hint{Type: "x", Apps: []string{"/2", "/1"}}, singles: many[:2], apps: many[:2],
		},
		"an event that names none is about all": {hint: marathon.Hint{Type: "x", All: true}, lists: 1},
		"too many are a list":                   {hint: marathon.Hint{Type: "x", Apps: many}, lists: 1},
		"a new one needs the list":              {hint: marathon.Hint{Type: "x", Apps: []string{"/new"}}, lists: 1},
		"one that is gone needs the list": {
			hint:    marathon.Hint{Type: "x", Apps: []string{"/1"}},
			prepare: func(p *puppet) { p.set(func() { p.exists = nil }) }, singles: many[:1], lists: 1,
		},
		"one that depends on others needs the list": {
			hint:    marathon.Hint{Type: "x", Apps: []string{"/1"}},
			prepare: func(p *puppet) { p.set(func() { p.updates = false }) }, singles: many[:1], lists: 1,
		},
		"one that cannot be read by itself needs the list": {
			hint:    marathon.Hint{Type: "x", Apps: []string{"/1"}},
			prepare: func(p *puppet) { p.set(func() { p.broken = many[:1] }) }, singles: many[:1], lists: 1,
		},
		"its trouble costs no other app the way": {
			hint:    marathon.Hint{Type: "x", Apps: []string{"/1", "/2"}},
			prepare: func(p *puppet) { p.set(func() { p.broken = many[:1] }) }, singles: many[:2], lists: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inShow(t, marathon.WatcherConfig{}, func(s *show) {
				s.covers, s.exists, s.updates = many, many, true
			}, func(s *show) {
				let(time.Second)
				if tt.prepare != nil {
					tt.prepare(s.puppet)
				}
				s.hint(tt.hint)
				let(5 * time.Second)
				singles := s.readSingly()
				slices.Sort(singles)
				if diff := cmp.Diff(tt.singles, singles); diff != "" {
					t.Errorf("read one by one (-want +got):\n%s", diff)
				}
				if lists := len(s.began()) - 1; lists != tt.lists {
					t.Errorf("%d lists, want %d", lists, tt.lists)
				}
				last := s.snapshots[len(s.snapshots)-1]
				if diff := cmp.Diff(tt.apps, last.Apps); diff != "" {
					t.Errorf("the last snapshot is about (-want +got):\n%s", diff)
				}
				if last.Source == "" || last.Trace.Trigger == "" || last.Trace.Hinted.IsZero() || last.Trace.Fetched.Before(last.Trace.Hinted) {
					t.Errorf("snapshot %+v", last)
				}
			})
		})
	}
}

// Old versions of Marathon drop events without a word, also while others come.
func TestD15SingleReadingsDoNotPutOffTheList(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{Resync: 10 * time.Second}, func(s *show) {
		s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true
	}, func(s *show) {
		for range 25 {
			let(time.Second)
			s.hint(marathon.Hint{Type: "x", Apps: []string{"/1"}})
		}
		if n := len(s.began()); n < 3 || n > 4 {
			t.Errorf("%d lists in 25 s, want one at the start and one every 8 to 10 s", n)
		}
	})
}

// An event about a group does not say which apps are meant, a deployment does. Every
// change of routing is deployed.
func TestAGroupThatChangesIsReadByTheAppsOfItsDeployment(t *testing.T) {
	t.Parallel()
	group := marathon.Hint{Type: "group_change_success", All: true, Group: true}
	deployment := marathon.Hint{Type: "deployment_info", Apps: []string{"/1"}, Deployment: true}
	for name, tt := range map[string]struct {
		hints   []marathon.Hint
		pause   time.Duration
		singles []string
		lists   int // besides the first one
	}{
		"the deployment first, which is stored later": {[]marathon.Hint{deployment, group}, 500 * time.Millisecond, []string{"/1", "/1"}, 0},
		"the group first":                         {[]marathon.Hint{group, deployment}, 500 * time.Millisecond, []string{"/1"}, 0},
		"nothing is deployed":                     {[]marathon.Hint{group}, 0, nil, 1},
		"several groups are one list":             {[]marathon.Hint{group, group, group}, 100 * time.Millisecond, nil, 1},
		"a deployment of long ago is another one": {[]marathon.Hint{deployment, group}, 2 * time.Second, []string{"/1"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inShow(t, marathon.WatcherConfig{}, func(s *show) {
				s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true
			}, func(s *show) {
				let(time.Second)
				for _, h := range tt.hints {
					s.hint(h)
					let(tt.pause)
				}
				let(5 * time.Second)
				if diff := cmp.Diff(tt.singles, s.readSingly()); diff != "" {
					t.Errorf("read one by one (-want +got):\n%s", diff)
				}
				if lists := len(s.began()) - 1; lists != tt.lists {
					t.Errorf("%d lists, want %d", lists, tt.lists)
				}
			})
		})
	}
}

// A task that is about to start changes no route. When it has started it is read at
// once, and what was announced needs no other look.
func TestWhatIsAnnouncedIsReadWithWhatHappens(t *testing.T) {
	t.Parallel()
	ahead := marathon.Hint{Type: "api_post_event", Apps: []string{"/1"}, Ahead: true}
	for name, tt := range map[string]struct {
		hints   []marathon.Hint
		soon    []string // read within 100 ms
		singles []string // in the end
	}{
		"it happens":               {[]marathon.Hint{ahead, ahead, {Type: "status_update_event", Apps: []string{"/1"}}}, []string{"/1"}, []string{"/1"}},
		"nothing happens":          {[]marathon.Hint{ahead, ahead}, nil, []string{"/1"}},
		"another app's task stops": {[]marathon.Hint{ahead, {Type: "status_update_event", Apps: []string{"/2"}}}, []string{"/2"}, []string{"/2", "/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both := []string{"/1", "/2"}
			inShow(t, marathon.WatcherConfig{}, func(s *show) {
				s.covers, s.exists, s.updates = both, both, true
			}, func(s *show) {
				let(time.Second)
				for _, h := range tt.hints {
					s.hint(h)
				}
				let(100 * time.Millisecond)
				if diff := cmp.Diff(tt.soon, s.readSingly()); diff != "" {
					t.Errorf("read soon (-want +got):\n%s", diff)
				}
				let(5 * time.Second)
				if diff := cmp.Diff(tt.singles, s.readSingly()); diff != "" {
					t.Errorf("read (-want +got):\n%s", diff)
				}
				if lists := len(s.began()) - 1; lists != 0 {
					t.Errorf("%d lists", lists)
				}
			})
		})
	}
}

func TestAnAnswerThatSaysNothingNewMakesNoPass(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, func(s *show) {
		s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true
	}, func(s *show) {
		passes := func(what string, hint marathon.Hint, want int) {
			before := len(s.snapshots)
			s.hint(hint)
			let(time.Second)
			if got := len(s.snapshots) - before; got != want {
				t.Errorf("%s: %d passes, want %d", what, got, want)
			}
		}
		one, all := marathon.Hint{Type: "x", Apps: []string{"/1"}}, marathon.Hint{Type: "x", All: true}
		let(time.Second)
		passes("the first answer", one, 1)
		passes("the same answer", one, 0)
		s.change()
		passes("another answer", one, 1)
		passes("the list", all, 1)
		passes("the same answer, which may be news after the list", one, 1)
		passes("the same answer again", one, 0)
	})
}

func TestATaskThatEndsIsToldBeforeTheReading(t *testing.T) {
	t.Parallel()
	var told []map[string]string
	read := -1
	var p *puppet
	inShow(t, marathon.WatcherConfig{Ended: func(_ context.Context, tasks map[string]string) {
		told, read = append(told, tasks), len(p.readSingly())
	}}, func(s *show) {
		s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true
		p = s.puppet
	}, func(s *show) {
		let(time.Second)
		s.hint(marathon.Hint{Type: "status_update_event", Apps: []string{"/1"}})
		let(time.Second)
		for _, task := range []string{"1.a", "1.b"} {
			s.hint(marathon.Hint{Type: "status_update_event", Apps: []string{"/1"}, Ended: task})
		}
		let(time.Second)
		if diff := cmp.Diff([]map[string]string{{"1.a": "/1", "1.b": "/1"}}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if read != 1 || len(s.readSingly()) != 2 {
			t.Errorf("told after %d of %d readings, want after 1 of 2", read, len(s.readSingly()))
		}
		if n := len(s.snapshots); n != 3 { // the list, and each reading, though the answer is the same
			t.Errorf("%d passes, want 3", n)
		}
	})
}

func TestAnAppThatCannotBeReadByItselfIsReadWithTheListForAWhile(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{}, func(s *show) {
		s.covers, s.exists, s.updates, s.broken = []string{"/1", "/2"}, []string{"/1", "/2"}, true, []string{"/1"}
	}, func(s *show) {
		let(time.Second)
		for range 3 {
			s.hint(marathon.Hint{Type: "x", Apps: []string{"/1"}})
			let(time.Second)
		}
		s.hint(marathon.Hint{Type: "x", Apps: []string{"/2"}})
		let(2 * time.Minute)
		s.set(func() { s.broken = nil })
		s.hint(marathon.Hint{Type: "x", Apps: []string{"/1"}})
		let(time.Second)
		if diff := cmp.Diff([]string{"/1", "/2", "/1"}, s.readSingly()); diff != "" {
			t.Errorf("read one by one (-want +got):\n%s", diff)
		}
		if lists := len(s.began()) - 1; lists != 3 || len(s.failures) > 0 {
			t.Errorf("%d lists, want 3; failures %v", lists, s.failures)
		}
	})
}

// Ten instances that ask for many apps at a time may keep Marathon busy for longer than one
// app may take. To ask for the list then, and for a minute, would be worse.
func TestManyAppsHaveEachTheirOwnTime(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprintf("/%d", i))
	}
	inShow(t, marathon.WatcherConfig{}, func(s *show) {
		s.covers, s.exists, s.updates, s.listed = many, many, true, 1000
		s.takes = 10 * time.Second // an app a tenth of that
	}, func(s *show) {
		let(11 * time.Second)
		s.hint(marathon.Hint{Type: "x", Apps: many})
		let(20 * time.Second)
		if lists, singles := len(s.began())-1, len(s.readSingly()); lists != 0 || singles != len(many) {
			t.Errorf("%d lists and %d apps read one by one, want none and %d", lists, singles, len(many))
		}
	})
}

// In a busy cluster there is always a hint that waits.
func TestD15HintsThatNeverEndDoNotPutOffTheList(t *testing.T) {
	t.Parallel()
	inShow(t, marathon.WatcherConfig{Resync: 10 * time.Second}, func(s *show) {
		s.covers, s.exists, s.updates = []string{"/1"}, []string{"/1"}, true
	}, func(s *show) {
		for range 5000 { // each reading of one app takes 10 ms
			let(5 * time.Millisecond)
			s.hint(marathon.Hint{Type: "x", Apps: []string{"/1"}})
		}
		if n := len(s.began()); n < 3 || n > 4 {
			t.Errorf("%d lists in 25 s, want one at the start and one every 8 to 10 s", n)
		}
	})
}
