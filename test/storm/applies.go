package storm

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// OneAtATime reads mlb's log and returns how many passes it tells of that changed
// something at run time. It is an error when a pass asked Marathon, or was applied,
// before the one before had been, or when there are none. Reloads do not count: a pass
// may end before the reload that it leads to.
func OneAtATime(log string) (passes int, err error) {
	var last time.Time
	for line := range strings.Lines(log) {
		head, fields, applied := strings.Cut(line, " mlb.apply: applied ")
		if !applied {
			var read bool
			if head, fields, read = strings.Cut(line, " mlb.marathon: apps read "); !read {
				continue
			}
		}
		var f struct{ Method, Took string }
		if err = json.Unmarshal([]byte(fields), &f); err != nil {
			return passes, fmt.Errorf("%.100q: %w", line, err)
		}
		if applied && f.Method != "runtime" || f.Took == "" {
			continue
		}
		end, err := time.Parse("2006-01-02 15:04:05,000", head)
		if err != nil {
			return passes, fmt.Errorf("%.100q: %w", line, err)
		}
		took, err := time.ParseDuration(f.Took)
		if err != nil {
			return passes, fmt.Errorf("%.100q: %w", line, err)
		}
		const grain = 2 * time.Millisecond // the log's, at both ends
		if begin := end.Add(-took); !last.IsZero() && begin.Add(grain).Before(last) {
			return passes, fmt.Errorf("%.100q began when the pass before went on, until %s", line, last)
		}
		last = end
		if applied {
			passes++
		}
	}
	if passes == 0 {
		return 0, errors.New("the log tells of no pass that changed anything at run time")
	}
	return passes, nil
}
