package storm

import (
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		seen Seen
		says string
	}{
		"calm":              {Seen{Workers: 1, Took: time.Second}, ""},
		"as many as may be": {Seen{Workers: 3, Reloads: 3, Took: 2 * time.Second}, ""},
		"too many reloads":  {Seen{Workers: 3, Reloads: 4, Took: 2900 * time.Millisecond}, "4 reloads in 2.9s"},
		"too many workers":  {Seen{Workers: 4, Took: time.Second}, "4 workers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.seen.Verdict(time.Second)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("verdict %v, want %q", err, tt.says)
			}
		})
	}
}

func TestPassesThatOverlapAreFound(t *testing.T) {
	t.Parallel()
	const first = `2026-11-25 09:22:26,100 mlb.apply: applied {"method": "runtime", "took": "7ms"}` + "\n"
	for name, tt := range map[string]struct {
		log, says string
		passes    int
	}{
		"one after the other":      {first + "something else\n" + `2026-11-25 09:22:26,107 mlb.apply: applied {"method": "runtime", "took": "7.9ms"}`, "", 2},
		"at the same time":         {first + `2026-11-25 09:22:26,107 mlb.apply: applied {"method": "runtime", "took": "20ms"}`, "the pass before went on", 1},
		"asked at the same time":   {first + `2026-11-25 09:22:26,107 mlb.marathon: apps read {"app": ["/a"], "took": "20ms"}`, "the pass before went on", 1},
		"a reload lasts":           {first + `2026-11-25 09:22:27,107 mlb.apply: applied {"method": "reload", "took": "2s"}`, "", 1},
		"nothing":                  {"something else\n", "no pass", 0},
		"a line of others":         {`never mlb.apply: applied {"method": "runtime", "took": "1s"}`, "never", 0},
		"a time that is none":      {`2026-11-25 09:22:26,107 mlb.apply: applied {"method": "runtime", "took": "long"}`, "long", 0},
		"a line that is not whole": {`2026-11-25 09:22:26,107 mlb.apply: applied {"method`, "unexpected end", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passes, err := OneAtATime(tt.log)
			if passes != tt.passes || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%d passes, error %v, want %d, %q", passes, err, tt.passes, tt.says)
			}
		})
	}
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		got  map[string][]string
		says string
	}{
		"none, in another order": {map[string][]string{"a": {"2", "1"}, "b": {}}, ""},
		"a server too many":      {map[string][]string{"a": {"1", "2", "3"}, "b": {}}, "1 backends differ, among them a"},
		"a backend too many":     {map[string][]string{"a": {"1", "2"}, "b": {}, "c": {}}, "1 backends differ, among them c"},
		"a backend too few":      {map[string][]string{"a": {"1", "2"}}, "1 backends differ, among them b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Differences(map[string][]string{"a": {"1", "2"}, "b": {}}, tt.got)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}
