package haproxy_test

import (
	"fmt"
	"strings"
	"testing"

	"mlb/haproxy"
)

func BenchmarkDiff(b *testing.B) {
	for _, apps := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("apps=%d", apps), func(b *testing.B) {
			running, desired := parse(b, benchText(apps, 10)), parse(b, benchText(apps, 11))
			b.ReportAllocs()
			for b.Loop() {
				if plan := haproxy.Diff(running, desired, version(2, 6)); len(plan.Steps) != 1 || len(plan.Reasons) > 0 {
					b.Fatal(plan)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, apps := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("apps=%d", apps), func(b *testing.B) {
			text := benchText(apps, 10)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				parse(b, text)
			}
		})
	}
}

// benchText is a configuration of that many apps with ten tasks each; the app in
// the middle has another number.
func benchText(apps, tasks int) string {
	var t strings.Builder
	t.WriteString("global\n maxconn 50000\ndefaults\n mode http\n")
	for app := range apps {
		n := 10
		if app == apps/2 {
			n = tasks
		}
		fmt.Fprintf(&t, "frontend app-%d_%d\n  bind *:%d\n  mode http\n  use_backend app-%d_%d\n\n", app, app, app%65535+1, app, app)
		fmt.Fprintf(&t, "backend app-%d_%d\n  balance roundrobin\n  mode http\n  option forwardfor\n  option httpchk GET /\n  timeout check 10s\n", app, app)
		for task := range n {
			fmt.Fprintf(&t, "  server 10_0_%d_%d_31000 10.0.%d.%d:31000 id %d check inter 10s fall 4\n", app%250, task, app%250, task, task+1)
		}
		t.WriteByte('\n')
	}
	return t.String()
}
