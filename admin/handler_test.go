package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/admin"
	"mlb/discovery"
)

// view is a View made of values; what it was asked for is in asked.
type view struct {
	config      string
	maps        [2]string
	pids        []int
	live, ready error
	problems    []discovery.Problem
	workers     admin.Workers
	workersErr  error
	sources     []admin.Source
	held        bool
	polling     bool
	asked       chan string
}

func (v view) GetConfig() []byte             { return []byte(v.config) }
func (v view) HostMap() []byte               { return []byte(v.maps[0]) }
func (v view) AppMap() []byte                { return []byte(v.maps[1]) }
func (v view) PIDs() []int                   { return v.pids }
func (v view) Live() error                   { return v.live }
func (v view) Ready() error                  { return v.ready }
func (v view) Problems() []discovery.Problem { return v.problems }

func (v view) Sources() []admin.Source { return v.sources }
func (v view) Release() bool           { return v.held }

func (v view) Workers(context.Context) (admin.Workers, error) { return v.workers, v.workersErr }

func (v view) Refresh(reason string) bool { return v.ask("refresh " + reason) }
func (v view) Reload(reason string) bool  { return v.ask("reload " + reason) }
func (v view) ReloadNow(reason string)    { v.asked <- "reload now " + reason }

func (v view) ask(what string) bool {
	if v.polling {
		return false
	}
	if v.asked != nil {
		v.asked <- what
	}
	return true
}

func serve(t *testing.T, v view, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	s := admin.New(admin.Config{}, v, prometheus.NewRegistry(), zap.NewNop())
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody))
	return w
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const text, json = "text/plain", "application/json"
	busy := view{
		config: "global\n", pids: []int{12, 345}, asked: make(chan string, 10),
		live:  errors.New("no pass for 10 minutes"),
		ready: errors.Join(errors.New("marathon is silent"), errors.Join(errors.New("haproxy is down"))),
		problems: []discovery.Problem{
			{App: "/a", PortIndex: 0, Label: "HAPROXY_0_MODE", Value: "udp", Reason: "invalid value", Detail: "mode is tcp or http"},
			{App: "/b", PortIndex: -1, Reason: "unreadable app", Detail: "it is a list"},
		},
	}
	tests := map[string]struct {
		view        view
		target      string
		status      int
		contentType string
		body        string
	}{
		"configuration":                  {busy, "/_haproxy_getconfig", 200, text, "global\n"},
		"configuration before the first": {view{}, "/_haproxy_getconfig", 200, text, ""},
		"process ids without line break": {busy, "/_haproxy_getpids", 200, text, "12 345"},
		"no process":                     {view{}, "/_haproxy_getpids", 200, text, ""},
		"map of hosts":                   {view{maps: [2]string{"a b\n", ""}}, "/_haproxy_getvhostmap", 200, text, "a b\n"},
		"map of app ids":                 {view{maps: [2]string{"", "/a b\n"}}, "/_haproxy_getappmap?x", 200, text, "/a b\n"},
		"no map of hosts":                {busy, "/_haproxy_getvhostmap", 200, text, ""},
		"no map of app ids":              {busy, "/_haproxy_getappmap", 200, text, ""},
		"a password in a label is not shown": {
			view{problems: []discovery.Problem{{App: "/a", Label: "HAPROXY_0_AUTH", Value: "x:y", Reason: "invalid value", Detail: "no"}}},
			"/_mlb/problems", 200, json,
			`{"problems":[{"app":"/a","port_index":0,"label":"HAPROXY_0_AUTH","value":"\u003csecret\u003e","reason":"invalid value","detail":"no"}]}` + "\n",
		},
		"hup":                   {busy, "/_mlb_signal/hup", 200, text, "Sent SIGHUP signal to marathon-lb"},
		"usr1":                  {busy, "/_mlb_signal/usr1", 200, text, "Sent SIGUSR1 signal to marathon-lb"},
		"query does not matter": {busy, "/_haproxy_getpids?x=1&y", 200, text, "12 345"},
		"live":                  {view{}, "/_mlb/live", 200, json, `{"live":true}` + "\n"},
		"not live":              {busy, "/_mlb/live", 503, json, `{"live":false,"reasons":["no pass for 10 minutes"]}` + "\n"},
		"ready":                 {view{}, "/_mlb/ready", 200, json, `{"marathon":[],"ready":true}` + "\n"},
		"not ready": {
			busy, "/_mlb/ready", 503, json,
			`{"marathon":[],"ready":false,"reasons":["marathon is silent","haproxy is down"]}` + "\n",
		},
		"a sentence around two errors stays whole": {
			view{ready: fmt.Errorf("both %w and %w", errors.New("this"), errors.New("that"))},
			"/_mlb/ready", 503, json, `{"marathon":[],"ready":false,"reasons":["both this and that"]}` + "\n",
		},
		"workers, one of which does not answer": {
			view{workers: admin.Workers{HardStop: "1h", Workers: []admin.Worker{
				{PID: 12, Age: 90 * time.Second, Connections: 3}, {PID: 11, Old: true, Age: time.Hour, Reloads: 2, Connections: -1},
			}}},
			"/_mlb/workers", 200, json,
			`{"hard_stop_after":"1h","workers":[{"pid":12,"kind":"current","age_seconds":90,"reloads":0,"connections":3},` +
				`{"pid":11,"kind":"old","age_seconds":3600,"reloads":2,"connections":null}]}` + "\n",
		},
		"no workers, no limit": {view{}, "/_mlb/workers", 200, json, `{"workers":[]}` + "\n"},
		"workers that are not known": {
			view{workersErr: errors.New("not a master socket")},
			"/_mlb/workers", 503, json,
			`{"reasons":["not a master socket"],"workers":[]}` + "\n",
		},
		"no problems": {view{}, "/_mlb/problems", 200, json, `{"problems":[]}` + "\n"},
		"problems": {
			busy, "/_mlb/problems", 200, json,
			`{"problems":[{"app":"/a","port_index":0,"label":"HAPROXY_0_MODE","value":"udp","reason":"invalid value",` +
				`"detail":"mode is tcp or http"},{"app":"/b","reason":"unreadable app","detail":"it is a list"}]}` + "\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{http.MethodGet, http.MethodPost, "BREW"} {
				r := serve(t, tt.view, method, tt.target)
				want := []string{strconv.Itoa(tt.status), tt.contentType, strconv.Itoa(len(tt.body)), tt.body}
				got := []string{
					strconv.Itoa(r.Code), r.Header().Get("Content-Type"), r.Header().Get("Content-Length"), r.Body.String(),
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: status, type, length, body (-want +got):\n%s", method, diff)
				}
			}
		})
	}
}

func TestSignalsInPollModeFail(t *testing.T) {
	t.Parallel()
	for path, name := range map[string]string{"/_mlb_signal/hup": "SIGHUP", "/_mlb_signal/usr1": "SIGUSR1"} {
		r := serve(t, view{polling: true}, http.MethodGet, path)
		want := "Failed to send " + name + " signal to marathon-lb (exit code 1)."
		got := r.Body.String()
		if r.Code != http.StatusInternalServerError || !strings.HasPrefix(got, want) || !strings.Contains(got, "poll mode") {
			t.Errorf("%s: %d %q", path, r.Code, got)
		}
	}
}

func TestSignalsAskForWhatTheSignalDoes(t *testing.T) {
	t.Parallel()
	v := view{asked: make(chan string, 2)}
	for path, want := range map[string]string{"/_mlb_signal/hup": "refresh signal", "/_mlb_signal/usr1": "reload signal"} {
		serve(t, v, http.MethodGet, path)
		if got := <-v.asked; got != want {
			t.Errorf("%s asked for %q, want %q", path, got, want)
		}
	}
}

func TestOtherPathsAre503(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"/", "/haproxy?stats", "/metrics", "/_haproxy_getconfig/", "//_haproxy_getconfig", "/_mlb", "/_mlb_signal/",
		"/_mlb_signal/../_haproxy_getpids", "/%5fhaproxy_getpids", "*",
	} {
		method := http.MethodGet
		if target == "*" {
			method = http.MethodOptions
		}
		r := serve(t, view{}, method, target)
		if got := r.Body.String(); r.Code != http.StatusServiceUnavailable || r.Header().Get("Content-Type") != "text/html" ||
			!strings.Contains(got, "<h1>503 Service Unavailable</h1>") {
			t.Errorf("%s: %d %q", target, r.Code, got)
		}
	}
}

func TestMetricsAreThoseOfTheRegistry(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "mlb_things_total", Help: "Things."})
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	c.Inc()
	s := admin.New(admin.Config{}, view{}, reg, zap.NewNop())
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/_mlb/metrics", http.NoBody))
	if got := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(got, "\nmlb_things_total 1\n") {
		t.Errorf("%d %s", w.Code, got)
	}
}

func TestReloadIsAskedForWithPostInEveryMode(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	v := view{polling: true, asked: asked}
	if got := serve(t, v, http.MethodGet, "/_mlb/reload"); got.Code != http.StatusMethodNotAllowed || got.Header().Get("Allow") != http.MethodPost {
		t.Errorf("GET: %d, Allow %q", got.Code, got.Header().Get("Allow"))
	}
	if got := serve(t, v, http.MethodPost, "/_mlb/reload"); got.Code != http.StatusAccepted {
		t.Errorf("POST: %d %s", got.Code, got.Body)
	}
	close(asked)
	if got := <-asked; got != "reload now request" {
		t.Errorf("asked for %q", got)
	}
}

func TestReadinessSaysHowOldTheDataIsAndWhatIsHeld(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	v := view{sources: []admin.Source{
		{
			Master: "http://m1", Data: ago(time.Minute), List: ago(time.Hour), Event: ago(time.Second), Byte: ago(time.Second), Connected: true,
			Held: &admin.Held{Since: ago(time.Minute), Endpoints: 3, OfEndpoints: 4, Apps: 1, OfApps: 2, ConfirmationsLeft: 2},
		},
		{Cluster: "east", Restored: true, Data: ago(time.Hour), Error: "nobody answers"},
	}}
	w := serve(t, v, http.MethodGet, "/_mlb/ready")
	var got struct {
		Ready    bool
		Marathon []map[string]any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || len(got.Marathon) != 2 {
		t.Fatalf("answer %d %s, %v", w.Code, w.Body, err)
	}
	for i, ages := range []map[string]float64{{"age_seconds": 60, "list_age_seconds": 3600, "event_age_seconds": 1, "byte_age_seconds": 1}, {"age_seconds": 3600}} {
		for name, want := range ages {
			if age, ok := got.Marathon[i][name].(float64); !ok || age < want || age > want+600 {
				t.Errorf("%s of %d is %v, want %v", name, i, got.Marathon[i][name], want)
			}
		}
	}
	is := got.Marathon[0]["held"].(map[string]any) //nolint:forcetypeassert // the test fails
	if is["endpoints"] != 3.0 || is["of_endpoints"] != 4.0 || is["apps"] != 1.0 || is["of_apps"] != 2.0 || is["confirmations_left"] != 2.0 {
		t.Errorf("held %v", is)
	}
	if e := got.Marathon[1]; e["cluster"] != "east" || e["restored"] != true || e["error"] != "nobody answers" || e["event_age_seconds"] != nil || e["held"] != nil {
		t.Errorf("second cluster %v", e)
	}
}

func TestWhatIsHeldIsReleasedByPostOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method string
		held   bool
		status int
	}{{http.MethodGet, true, http.StatusMethodNotAllowed}, {http.MethodPost, true, http.StatusAccepted}, {http.MethodPost, false, http.StatusConflict}} {
		if w := serve(t, view{held: tt.held}, tt.method, "/_mlb/release"); w.Code != tt.status {
			t.Errorf("%s, held %t: status %d, want %d", tt.method, tt.held, w.Code, tt.status)
		}
	}
}
