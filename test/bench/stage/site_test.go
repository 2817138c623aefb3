package stage_test

import (
	"strings"
	"testing"

	"mlb/test/bench/stage"
)

// Every app has its place in Marathon's list, whatever the size.
func TestDocumentHasAllApps(t *testing.T) {
	t.Parallel()
	for _, apps := range []int{stage.LeastApps, 10, 1000, 7919, stage.MostApps} {
		text, err := stage.NewSite(apps, 20000, 20000).Document()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(text, `"id":"/shops/shop`); got != apps || strings.Contains(text, "null") {
			t.Errorf("%d apps of %d", got, apps)
		}
	}
}

func TestChecksAreAsManyAsFilesCarry(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		apps  int
		files uint64
		want  int
	}{
		"all":                {1000, 20000, 1000},
		"as many as fit":     {10000, 20000, 760},
		"none":               {10000, 12000, 0},
		"no limit":           {10000, 1<<64 - 1, 10000},
		"a limit that fits":  {10000, 112400, 10000},
		"one file too few":   {10000, 112399, 9999},
		"hardly any at all":  {10, 2419, 0},
		"just one app's ten": {10, 2420, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := stage.NewSite(tt.apps, 20000, tt.files).Checked; got != tt.want {
				t.Errorf("%d checked, want %d", got, tt.want)
			}
		})
	}
}
