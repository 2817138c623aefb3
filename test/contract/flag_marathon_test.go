package contract_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"mlb/test/balancer"
	"mlb/test/haproxytest"
)

// foundBy fails the test unless a pass with these flags finds the app that has the
// backend, or, without a backend, ends with status 1 and prints nothing. It returns
// what the pass has left.
func foundBy(t *testing.T, b *balancer.Balancer, backend string, args ...string) ended {
	t.Helper()
	e := pass(t, b, append(args, "--dry")...)
	switch {
	case backend == "" && (e.status != 1 || e.stdout != ""):
		t.Errorf("%q: status %d, want 1; printed %q\n%s", args, e.status, e.stdout, e.stderr)
	case backend != "" && (e.status != 0 || !strings.Contains(e.stdout, "\nbackend "+backend+"\n")):
		t.Errorf("%q: status %d, want 0 and the backend %s\n%s\n%s", args, e.status, backend, e.stdout, e.stderr)
	}
	return e
}

// mastersStage shows how Marathon is found and followed.
func mastersStage() stage {
	return stage{
		name: "masters", idle: true,
		behaviours: []behaviour{
			{
				name:   "-m takes several URLs, may be repeated, and every one of them is used; a comma does not split",
				covers: []string{"flag --marathon", "D1"},
				apps:   []app{{id: "/found", ports: []int{10100}, labels: grouped("found")}},
				show: func(t *testing.T, s scene) {
					b := newUpdater(t, nil, "found")
					up := s.cluster.Masters()[0]
					down, out := "http://"+haproxytest.FreeAddr(t), "http://"+haproxytest.FreeAddr(t)
					for _, line := range [][]string{
						{"-m", down, "-m", out, "-m", up},
						{"-m", down, out, up},
						{"--marathon=" + down, "-m" + out, "-m", up + "/"},
						{"-m", down, up, "-m", out},
					} {
						foundBy(t, b, "found_10100", line...)
					}
					foundBy(t, b, "", "-m", down, out)
					if e := pass(t, b, "--dry", "-m", down+","+up); e.status == 0 {
						t.Errorf("a comma splits: %s", e.stdout)
					}
				},
			},
			{
				name:   "a path in the URL of Marathon is kept",
				covers: []string{"flag --marathon"},
				apps:   []app{{id: "/below", ports: []int{10101}, labels: grouped("below")}},
				show: func(t *testing.T, s scene) {
					g := newGate(t, s.cluster.Masters()[0], func(next http.Handler) http.Handler {
						return http.StripPrefix("/service/marathon", next)
					}, nil)
					b := newUpdater(t, nil, "below")
					foundBy(t, b, "below_10101", "-m", g.URL+"/service/marathon")
					foundBy(t, b, "below_10101", "-m", g.URL+"/service/marathon/")
					foundBy(t, b, "", "-m", g.URL)
				},
			},
			{
				name:   "a master that answers with an error or with nothing is passed over, and is never taken for no apps",
				covers: []string{"D11"},
				apps:   []app{{id: "/asked", ports: []int{10102}, labels: grouped("asked")}},
				show: func(t *testing.T, s scene) {
					b := newUpdater(t, nil, "asked")
					var bad []string
					for _, keep := range []keeper{
						answers(http.StatusInternalServerError, `{"message":"no leader"}`), answers(http.StatusUnauthorized, ""),
						answers(http.StatusOK, ""), answers(http.StatusOK, "{}"), answers(http.StatusOK, `{"apps":[{"id":`),
					} {
						bad = append(bad, newGate(t, s.cluster.Masters()[0], keep, nil).URL)
					}
					foundBy(t, b, "", append([]string{"-m"}, bad...)...)
					foundBy(t, b, "asked_10102", slices.Concat([]string{"-m"}, bad, s.cluster.Masters())...)
				},
			},
			{
				name:   "with --marathon-ca-cert Marathon has to show a certificate of it; without, any will do, and a warning says so",
				covers: []string{"flag --marathon-ca-cert", "K1"},
				apps:   []app{{id: "/verified", ports: []int{10103}, labels: grouped("verified")}},
				show: func(t *testing.T, s scene) {
					g := newTLSGate(t, s.cluster.Masters()[0], handOn)
					b := newUpdater(t, []string{g.URL}, "verified")
					own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})
					writeFile(t, b.Path("own.pem"), string(own))
					writeFile(t, b.Path("foreign.pem"), newCertificate(t, "foreign.example"))
					foundBy(t, b, "verified_10103", "--marathon-ca-cert", b.Path("own.pem"))
					foundBy(t, b, "", "--marathon-ca-cert", b.Path("foreign.pem"))
					foundBy(t, b, "", "--marathon-ca-cert", b.Path("missing.pem"))
					foundBy(t, b, "verified_10103")
					if e := pass(t, b); e.status != 0 || !strings.Contains(e.stderr, "not verified") {
						t.Errorf("status %d, and nothing warns: %s", e.status, e.stderr)
					}
				},
			},
			{
				name:   "--max-backoff bounds the wait between attempts to follow events",
				covers: []string{"flag --max-backoff"},
				show: func(t *testing.T, s scene) {
					g := newGate(t, s.cluster.Masters()[0], func(next http.Handler) http.Handler {
						mux := http.NewServeMux()
						mux.Handle("/", next)
						mux.Handle("/v2/events", answers(http.StatusServiceUnavailable, "")(nil))
						return mux
					}, nil)
					b := balancer.New(t, "bounded", []string{g.URL})
					b.Args = []string{"--max-backoff", "1"}
					b.Start(t)
					// Without a bound the first ten waits take minutes.
					balancer.Eventually(t, "ten attempts", func() error {
						if n := g.streams.Load(); n < 10 {
							return fmt.Errorf("%d", n)
						}
						return nil
					})
				},
			},
			{
				name:   "of tasks that are not listed, as many verdicts are remembered as --lru-cache-capacity leaves room for",
				covers: []string{"flag --lru-cache-capacity", "flag --health-check"},
				apps: []app{{
					id: "/verdicts", ports: []int{10104}, instances: 2, labels: grouped("verdicts"),
					more: map[string]any{"healthChecks": []any{map[string]any{"protocol": "HTTP", "path": "/", "portIndex": 0, "intervalSeconds": 1}}},
				}},
				show: showsVerdictsAreRemembered,
			},
		},
	}
}

// What a leader that is new says about tasks, in the order in which it happens.
const (
	knowsAll      = iota
	lacksATask    // it has lost one
	lacksVerdicts // it has found it again, but does not know yet how any task is
)

func showsVerdictsAreRemembered(t *testing.T, s scene) {
	t.Helper()
	var phase atomic.Int32
	g := newGate(t, s.cluster.Masters()[0], handOn, func(text []byte) []byte {
		out, err := withoutVerdicts(text, "/verdicts", int(phase.Load()))
		if err != nil {
			t.Error(err)
		}
		return out
	})
	many, one := balancer.New(t, "many", []string{g.URL}), balancer.New(t, "one", []string{g.URL})
	one.Args = []string{"--lru-cache-capacity", "1"}
	serves := func(b *balancer.Balancer, want int) {
		t.Helper()
		balancer.Eventually(t, fmt.Sprintf("%d tasks served by %v", want, b.Args), func() error {
			if n := tasksOf(t, b, 10104); n != want {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
	}
	both := []*balancer.Balancer{many, one}
	for _, b := range both {
		b.Groups = []string{"verdicts"}
		b.Args = append(b.Args, "--health-check")
		b.Start(t)
	}
	for _, b := range both {
		serves(b, 2)
	}
	phase.Store(lacksATask)
	for _, b := range both {
		b.Signal(t, syscall.SIGHUP)
		serves(b, 1)
	}
	phase.Store(lacksVerdicts)
	for _, b := range both {
		readAgain(t, b)
	}
	serves(many, 2)
	serves(one, 1)
}

// readAgain has mlb read everything, and waits until it has.
func readAgain(t *testing.T, b *balancer.Balancer) {
	t.Helper()
	readings := func() float64 {
		n, err := b.Metric(t.Context(), "mlb_fetch_duration_seconds_count", "")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := readings()
	b.Signal(t, syscall.SIGHUP)
	balancer.Eventually(t, "everything is read again", func() error {
		if readings() == before {
			return errors.New("it was not")
		}
		return nil
	})
}

// withoutVerdicts returns the list of apps as the leader in that phase gives it.
func withoutVerdicts(text []byte, id string, phase int) ([]byte, error) {
	var list struct {
		Apps []map[string]any `json:"apps"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return text, err
	}
	for _, a := range list.Apps {
		tasks, ok := a["tasks"].([]any)
		if a["id"] != id || !ok || len(tasks) == 0 {
			continue
		}
		switch phase {
		case lacksATask:
			a["tasks"] = tasks[:len(tasks)-1]
		case lacksVerdicts:
			for _, task := range tasks {
				if members, ok := task.(map[string]any); ok {
					delete(members, "healthCheckResults")
				}
			}
		}
	}
	return json.Marshal(list)
}
