package storm

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// OneAtATime reads mlb's log and returns how many passes it tells of. It is an error
// when one was applied before the last one was, or when there are none.
func OneAtATime(log string) (passes int, err error) {
	var last time.Time
	for line := range strings.Lines(log) {
		head, fields, found := strings.Cut(line, " mlb.apply: applied ")
		if !found {
			continue
		}
		end, err := time.Parse("2006-01-02 15:04:05,000", head)
		if err != nil {
			return passes, fmt.Errorf("%.100q: %w", line, err)
		}
		var f struct{ Took string }
		if err = json.Unmarshal([]byte(fields), &f); err != nil {
			return passes, fmt.Errorf("%.100q: %w", line, err)
		}
		took, err := time.ParseDuration(f.Took)
		if err != nil {
			return passes, fmt.Errorf("%.100q: %w", line, err)
		}
		const grain = 2 * time.Millisecond // the log's, at both ends
		if begin := end.Add(-took); passes > 0 && begin.Add(grain).Before(last) {
			return passes, fmt.Errorf("a pass began to be applied at %s, when the one before was until %s", begin, last)
		}
		last = end
		passes++
	}
	if passes == 0 {
		return 0, errors.New("the log tells of no pass that was applied")
	}
	return passes, nil
}
