package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mlb/haproxy"
	"mlb/test/haproxytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMedianIsTheMiddleOne(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values []float64
		want   float64
	}{
		"one":                  {[]float64{3}, 3},
		"the lower of two":     {[]float64{4, 2}, 2},
		"the order is no help": {[]float64{9, 1, 5}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := append([]float64{}, tt.values...)
			if got := median(tt.values); got != tt.want {
				t.Errorf("median %g, want %g", got, tt.want)
			}
			if diff := cmp.Diff(given, tt.values); diff != "" {
				t.Errorf("the values have changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	s := sample{took: 2 * time.Second}
	for i := range 100 {
		s.latencies = append(s.latencies, time.Duration(i+1))
	}
	if got := []time.Duration{s.percentile(0), s.percentile(0.5), s.percentile(0.99), s.percentile(1)}; !cmp.Equal(got, []time.Duration{1, 51, 100, 100}) {
		t.Errorf("percentiles %v", got)
	}
	if got := (sample{}).percentile(0.5); got != 0 {
		t.Errorf("percentile of nothing: %s", got)
	}
	if got := s.rate(); got != 50 {
		t.Errorf("rate %g, want 50", got)
	}
}

// The median decides, and only that of the most hosts with maps on as many apps.
func TestVerdict(t *testing.T) {
	t.Parallel()
	rows := func(share float64) []result {
		return []result{
			{site: site{routing: "maps", hosts: 10, apps: 10}, shares: []float64{1, 1, 1}},
			{site: site{routing: "maps", hosts: 500, apps: 10}, shares: []float64{0.2, share, 1.4}},
			{site: site{routing: "maps", hosts: 500, apps: 500}, shares: []float64{0.1}},
			{site: site{routing: "rules", hosts: 500, apps: 10}, shares: []float64{0.1}},
		}
	}
	o := options{sizes: []int{10, 500}, least: 0.9}
	if err := verdict(o, rows(0.9)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if err := verdict(o, rows(0.89)); err == nil || !strings.Contains(err.Error(), "500 hosts serve 0.890 of the requests of 10") {
		t.Errorf("below the limit: %v", err)
	}
}

func TestOnlyTheRightAnswerCounts(t *testing.T) {
	t.Parallel()
	r := request{want: []byte("20007")}
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	for name, tt := range map[string]struct{ answer, says string }{
		"right":                       {head + "content-length: 5\r\nx-backend: 20007\r\n\r\nhello", ""},
		"another backend":             {head + "content-length: 5\r\nx-backend: 20008\r\n\r\nhello", `"20008", want "20007"`},
		"a backend that begins alike": {head + "content-length: 5\r\nx-backend: 200071\r\n\r\nhello", `"200071"`},
		"no backend":                  {head + "content-length: 5\r\n\r\n20007", "5 bytes without"},
		"no length":                   {head + "x-backend: 20007\r\n\r\nhello", "-1 bytes"},
		"a length that is none":       {head + "content-length: five\r\n\r\nhello", "five"},
		"nobody serves the host":      {"HTTP/1.0 503 Service Unavailable\r\n\r\n", "503"},
		"the end":                     {head, "EOF"},
		"the end in the body":         {head + "content-length: 5\r\nx-backend: 20007\r\n\r\nhell", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := r.read(bufio.NewReader(strings.NewReader(tt.answer)))
			if (err == nil) != (tt.says == "") || !strings.Contains(fmt.Sprint(err), tt.says) && err != nil {
				t.Errorf("error %v, want %q", err, tt.says)
			}
		})
	}
}

func TestRequestNamesTheBackendOfItsHost(t *testing.T) {
	t.Parallel()
	var r request
	for _, host := range []int{0, 4999, 7} {
		r.fill(host, 10)
		if want := haproxy.BackendName(appID(host%10), firstService+host%10); string(r.want) != want {
			t.Errorf("host %d: backend %q, want %q", host, r.want, want)
		}
		if want := "GET " + path(host%10) + "/basket?n=1 HTTP/1.1\r\nHost: " + hostName(host) + "\r\n"; !strings.HasPrefix(string(r.send), want) {
			t.Errorf("host %d: request %q, want %q", host, r.send, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		good bool
	}{
		"nothing":             {nil, true},
		"one size":            {[]string{"-sizes", "3"}, true},
		"falling sizes":       {[]string{"-sizes", "5,3"}, false},
		"more than ports":     {[]string{"-sizes", "40000"}, false},
		"no hosts":            {[]string{"-sizes", "0"}, false},
		"no rounds":           {[]string{"-rounds", "0"}, false},
		"words":               {[]string{"now"}, false},
		"a flag that is none": {[]string{"-fast"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(tt.args, io.Discard); (err == nil) != tt.good {
				t.Errorf("error %v", err)
			}
		})
	}
}

// All of it with a few hosts and a real HAProxy: every answer comes from the task of
// its host, or the run would fail.
func TestFewHosts(t *testing.T) {
	t.Parallel()
	var out, said strings.Builder
	err := run(t.Context(), []string{
		"-sizes", "2,12", "-rounds", "2", "-round", "80ms", "-least", "0", "-haproxy", haproxytest.Binary(t),
	}, &out, &said)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var rows []string
	for line := range strings.Lines(out.String()) {
		if f := strings.Fields(line); len(f) == 10 && (f[0] == "maps" || f[0] == "rules") {
			rows = append(rows, strings.Join(f[:3], " "))
		}
	}
	want := []string{"maps 2 2", "maps 12 10", "maps 12 12", "rules 2 2", "rules 12 12"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s\n%s", diff, out.String())
	}
}

func TestRulesAreRules(t *testing.T) {
	t.Parallel()
	for routing, want := range map[string]int{"maps": 0, "rules": 4} {
		text, err := configuration("/nowhere", loopback(1), site{routing: routing, hosts: 4, apps: 4})
		if err != nil {
			t.Fatal(err)
		}
		http, _, _ := strings.Cut(text.Config.Text(), "frontend marathon_https_in")
		if got := strings.Count(http, "  use_backend shops_shop"); got != want {
			t.Errorf("%s: %d rules, want %d\n%s", routing, got, want, http)
		}
	}
}

func TestAWrongPlaceIsAnError(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"-haproxy", "/nonexistent/haproxy"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/haproxy") {
		t.Errorf("error %v", err)
	}
}
