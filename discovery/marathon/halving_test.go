package marathon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mlb/discovery/marathon"
)

// TestRemovalsOfSeveralAnswersCountTogether: each takes less than half of what is left.
func TestRemovalsOfSeveralAnswersCountTogether(t *testing.T) {
	t.Parallel()
	// first returns the first n of twelve apps, from one with the given number on.
	first := func(n, from int) []marathon.App {
		var apps []marathon.App
		for i := range n {
			apps = append(apps, wanting(fmt.Sprintf("/%c", 'a'+from+i), 1, from+i))
		}
		return apps
	}
	ids := func(apps []marathon.App) (ids []string) {
		for _, a := range apps {
			ids = append(ids, a.ID)
		}
		return ids
	}
	all := first(12, 0)
	for name, tt := range map[string]struct {
		lists   [][]marathon.App
		deleted []string // apps, of which events say so before the second list
		pause   time.Duration
		want    int // how many are served after the last one
	}{
		"one after the other":           {[][]marathon.App{first(7, 0), first(4, 0)}, nil, time.Second, 7},
		"and another one":               {[][]marathon.App{first(7, 0), first(4, 0), first(2, 0)}, nil, time.Second, 7},
		"with minutes between them":     {[][]marathon.App{first(7, 0), first(4, 0)}, nil, 4 * time.Minute, 7},
		"with what is new beside them":  {[][]marathon.App{first(7, 0), append(first(4, 0), first(3, 12)...)}, nil, time.Second, 10},
		"what events explain":           {[][]marathon.App{first(7, 0), first(4, 0)}, ids(all[7:]), time.Second, 4},
		"what has come back":            {[][]marathon.App{first(7, 0), all, first(7, 0), all, first(7, 0)}, nil, time.Second, 7},
		"some of which has come back":   {[][]marathon.App{first(7, 0), first(10, 0), first(6, 0)}, nil, time.Second, 6},
		"one or two each time":          {[][]marathon.App{first(10, 0), first(8, 0), first(6, 0), first(4, 0)}, nil, time.Second, 4},
		"what was said three times yet": {[][]marathon.App{first(7, 0), first(7, 0), first(7, 0), first(7, 0), first(4, 0)}, nil, 11 * time.Second, 4},
		"what was said in haste":        {[][]marathon.App{first(7, 0), first(7, 0), first(7, 0), first(7, 0), first(4, 0)}, nil, time.Second, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
				s.set(all...)
				s.watcher.Refresh("signal")
				let(2 * time.Minute)
				for i, list := range tt.lists {
					if i > 0 {
						let(tt.pause)
					}
					if i == 0 && tt.deleted != nil {
						s.hint(marathon.Hint{Type: "deployment_info", Apps: tt.deleted, Gone: tt.deleted, Deployment: true, Ahead: true})
					}
					s.set(list...)
					s.watcher.Refresh("signal")
					let(time.Second)
				}
				if got := s.tasks(); len(got) != tt.want {
					t.Errorf("%d are served: %v, want %d", len(got), got, tt.want)
				}
			})
		})
	}
}

func TestWhatCountsTogetherIsSaidAndConfirmedLikeTheRest(t *testing.T) {
	t.Parallel()
	inBrake(t, marathon.WatcherConfig{}, everything(), func(s *brakeScene) {
		apps := func(n int) (apps []marathon.App) {
			for i := range n {
				apps = append(apps, wanting(fmt.Sprintf("/%c", 'a'+i), 1, i))
			}
			return apps
		}
		for _, n := range []int{12, 12, 7, 4} {
			s.set(apps(n)...)
			s.watcher.Refresh("signal")
			let(time.Second)
		}
		held := s.watcher.Status().Held
		if held.Endpoints != 3 || held.OfEndpoints != 7 || held.Earlier != 5 {
			t.Errorf("held %+v", held)
		}
		s.mu.Lock()
		problems := s.last.Problems
		s.mu.Unlock()
		if !strings.Contains(problems[0].Detail, "3 of 7 served endpoints (3 of 7 apps), after 5 ") {
			t.Errorf("problem %q", problems[0].Detail)
		}
		let(25 * time.Second)
		if got := s.tasks(); len(got) != 7 {
			t.Errorf("%v are served before the third confirmation", got)
		}
		let(10 * time.Second)
		if got := s.tasks(); len(got) != 4 {
			t.Errorf("%v are served after it", got)
		}
	})
}
