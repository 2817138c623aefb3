package main

import "testing"

func TestGarbageIsASmallShareOfMuchAndNeverHardlyAny(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		live uint64
		want int
	}{
		"nothing":          {0, 100 * garbageFloor},
		"a small cluster":  {4 << 20, 400},
		"where both agree": {32 << 20, 50},
		"a large cluster":  {100 << 20, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := percent(tt.live); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
