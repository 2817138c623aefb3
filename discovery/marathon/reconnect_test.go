package marathon_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

// far is a backoff that no test lives to see the end of.
func far(cfg marathon.StreamConfig) marathon.StreamConfig {
	cfg.MinBackoff, cfg.MaxBackoff = 1000*time.Hour, 1000*time.Hour
	return cfg
}

func TestD14ASilentStreamIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{"before its first byte": "", "after events": attached(), "within an event": attached() + "event: x\r\nda"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, turns(then(says(streamHead+first), hangs), then(says(streamHead+attached()+statusUpdate("/a")), hangs)))
			f := follow(t, marathon.StreamConfig{IdleTimeout: 300 * time.Millisecond, AttachTimeout: patience}, quick(), m.url)
			if first != "" {
				f.want(t, reconnected())
			}
			f.want(t, reconnected(), updated("/a"))
		})
	}
}

func TestAnyByteKeepsAStreamAlive(t *testing.T) {
	t.Parallel()
	beats := slices.Repeat([]string{"\r", "\n"}, 30) // 6 s, longer than the limit
	m := newMaster(t, then(says(streamHead+attached()), slowly(100*time.Millisecond, beats...), says(statusUpdate("/a")), hangs))
	f := follow(t, far(marathon.StreamConfig{IdleTimeout: 4 * time.Second}), quick(), m.url)
	f.want(t, reconnected(), updated("/a"))
}

func TestAStreamWithoutItsOwnAttachmentIsGivenUp(t *testing.T) {
	t.Parallel()
	beats := slices.Repeat([]string{"\r\n"}, 400)
	m := newMaster(t, turns(then(says(streamHead), slowly(50*time.Millisecond, beats...)), then(says(streamHead+attached()), hangs)))
	f := follow(t, marathon.StreamConfig{AttachTimeout: 400 * time.Millisecond}, quick(), m.url)
	// The first heartbeat is worth a refresh already, for want of an event.
	f.want(t, reconnected(), reconnected())
	eventually(t, "second connection", func() bool { return m.count("/v2/events") == 2 })
	if lines := f.lines(); !slices.Contains(lines, "stream lost") {
		t.Errorf("log %q", lines)
	}
}

func TestAcceptedThenClosedIsNoConnection(t *testing.T) {
	t.Parallel()
	closed, err := os.ReadFile(filepath.Join("testdata", "events", "accepted-then-closed-v1.9.raw"))
	if err != nil {
		t.Fatal(err)
	}
	m := newMaster(t, says(string(closed)))
	f := follow(t, marathon.StreamConfig{}, quick(), m.url)
	eventually(t, "five attempts", func() bool { return m.count("/v2/events") >= 5 })
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if len(f.hints) != 0 || f.stream.Status().Connected || !f.stream.Status().LastByte.IsZero() {
		t.Errorf("%d hints, status %+v", len(f.hints), f.stream.Status())
	}
	// Nobody says what changes meanwhile, so each attempt is worth a reading.
	if n := f.without.Load(); n < 4 {
		t.Errorf("%d hints that there is no stream, want one for each attempt", n)
	}
	// One line for the change of state, none for the attempts after it.
	if diff := cmp.Diff([]string{"stream not connected"}, f.lines()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestAnswersThatAreNoStream(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]wire{
		"status 401":              answers(http.StatusUnauthorized, "", ""),
		"status 405":              answers(http.StatusMethodNotAllowed, "", ""),
		"status 503":              answers(http.StatusServiceUnavailable, "", ""),
		"HTML with empty lines":   answers(http.StatusOK, "Content-Type: text/html\r\n", "<html>\n\n\n</html>"),
		"accepts and never talks": hangs,
		"resets":                  resets,
		"accepts and closes":      says(streamHead),
		"redirects for ever": func() wire {
			return answers(http.StatusFound, "Location: /v2/events\r\n", "")
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sick, good := newMaster(t, bad), newMaster(t, then(says(streamHead+attached()), hangs))
			// The backoff shows that the next master is tried at once.
			f := follow(t, far(marathon.StreamConfig{ConnectTimeout: 1500 * time.Millisecond}), quick(), sick.url, good.url)
			f.want(t, reconnected())
			if got := f.stream.Status().Master; got != good.url {
				t.Errorf("master %s, want %s", got, good.url)
			}
		})
	}
}

func TestAStandbyThatBuffersIsLeftForAnother(t *testing.T) {
	t.Parallel()
	beats := slowly(20*time.Millisecond, slices.Repeat([]string{"\r\n"}, 1000)...)
	for name, buffers := range map[string]wire{
		"with heartbeats": beats,
		"without":         hangs,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			standby := newMaster(t, paths(map[string]wire{"/v2/events": then(says(streamHead), buffers)}))
			good := newMaster(t, paths(map[string]wire{"/v2/events": turns(says(streamHead+attached()), then(says(streamHead+attached()+statusUpdate("/a")), beats))}))
			cfg := marathon.StreamConfig{AttachTimeout: 400 * time.Millisecond, IdleTimeout: 600 * time.Millisecond}
			f := follow(t, cfg, quick(), standby.url, good.url)
			if name == "with heartbeats" {
				f.want(t, reconnected())
			}
			// The good one ends its first stream, and is taken again.
			f.want(t, reconnected(), reconnected(), updated("/a"))
			if n := standby.count("/v2/events"); n != 1 {
				t.Errorf("the standby was asked %d times, want once", n)
			}
		})
	}
}

func TestTheStreamPrefersTheLeader(t *testing.T) {
	t.Parallel()
	leader := newMaster(t, then(says(streamHead+attached()), hangs))
	standby := newMaster(t, paths(map[string]wire{
		"/v2/leader": answers(http.StatusOK, jsonType, fmt.Sprintf(`{"leader":%q}`, strings.TrimPrefix(leader.url, "http://"))),
		"/v2/events": then(says(streamHead+attached()), hangs),
	}))
	f := follow(t, marathon.StreamConfig{}, quick(), standby.url, leader.url)
	f.want(t, reconnected())
	if got := f.stream.Status().Master; got != leader.url {
		t.Errorf("master %s, want the leader %s", got, leader.url)
	}
}

func TestALeaderChange(t *testing.T) {
	t.Parallel()
	old := newMaster(t, paths(map[string]wire{"/v2/events": turns(says(streamHead+attached()), answers(http.StatusServiceUnavailable, "", ""))}))
	fresh := newMaster(t, paths(map[string]wire{"/v2/events": then(says(streamHead+attached()+statusUpdate("/a")), hangs)}))
	f := follow(t, marathon.StreamConfig{}, quick(), old.url, fresh.url)
	f.want(t, reconnected(), reconnected(), updated("/a"))
	if diff := cmp.Diff([]string{"stream connected", "stream lost", "stream connected"}, f.lines()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if got := metric(t, f.registry, "mlb_stream_reconnects_total", ""); got != 1 {
		t.Errorf("%v reconnects, want 1", got)
	}
}

func TestAStandbysRedirectIsFollowedWithCredentialsToTheLeader(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{true, false} {
		t.Run(fmt.Sprintf("leader named %v", named), func(t *testing.T) {
			t.Parallel()
			recorded, err := os.ReadFile(filepath.Join("testdata", "events", "http-response-v1.9.raw"))
			if err != nil {
				t.Fatal(err)
			}
			moved, err := os.ReadFile(filepath.Join("testdata", "events", "http-redirect-v1.9.raw"))
			if err != nil {
				t.Fatal(err)
			}
			leader := newMaster(t, then(says(string(recorded)), hangs))
			table := map[string]wire{
				"/v2/events": says(strings.Replace(string(moved), "http://marathon-1.example.com:8080", leader.url, 1)),
			}
			if named {
				table["/v2/leader"] = answers(http.StatusOK, jsonType, fmt.Sprintf(`{"leader":%q}`, strings.TrimPrefix(leader.url, "http://")))
			}
			standby := newMaster(t, paths(table))
			cfg := quick()
			cfg.Credentials = marathon.NewBasic("bob", "hush")
			f := follow(t, marathon.StreamConfig{}, cfg, standby.url)
			f.want(t, reconnected())
			if got := f.stream.Status().Master; got != leader.url {
				t.Errorf("master %s, want %s", got, leader.url)
			}
			req := leader.seen()[0]
			if got := req.Header.Get("Authorization") != ""; got != named {
				t.Errorf("credentials sent: %v, want %v", got, named)
			}
			if diff := cmp.Diff([]string{"text/event-stream"}, req.Header["Accept"]); diff != "" {
				t.Errorf("Accept (-want +got):\n%s", diff)
			}
			if req.RequestURI != "/v2/events?event_type=status_update_event&event_type=health_status_changed_event" {
				t.Errorf("target %s", req.RequestURI)
			}
		})
	}
}

func TestRefusedCredentialsAreInTheStatusWithoutSecrets(t *testing.T) {
	t.Parallel()
	m := newMaster(t, answers(http.StatusForbidden, "", ""))
	f := follow(t, marathon.StreamConfig{}, quick(), withUser(m.url, "bob:hush"))
	eventually(t, "three attempts", func() bool { return m.count("/v2/events") >= 3 })
	text := f.stream.Status().Error
	if !strings.Contains(text, "403") || !strings.Contains(text, m.url) || strings.Contains(text, "hush") || strings.Contains(text, "bob") {
		t.Errorf("error %q", text)
	}
}

func TestAStreamStopsAtOnce(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]wire{
		"while connecting":      hangs,
		"while waiting":         answers(http.StatusServiceUnavailable, "", ""),
		"while silent":          then(says(streamHead), hangs),
		"while attached":        then(says(streamHead+attached()), hangs),
		"in a flood of events":  then(says(streamHead), says(strings.Repeat(statusUpdate("/a"), 20_000)), hangs),
		"in the midst of event": then(says(streamHead+attached()+"event: x\r\ndata: {"), hangs),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, state)
			cfg := far(marathon.StreamConfig{ConnectTimeout: 1000 * time.Hour, IdleTimeout: 1000 * time.Hour, AttachTimeout: 1000 * time.Hour})
			f := follow(t, cfg, quick(), m.url)
			eventually(t, "a request", func() bool { return m.count("/v2/events") == 1 })
			if err := f.stop(); err != nil {
				t.Error(err)
			}
			if f.stream.Status().Connected {
				t.Error("still connected")
			}
		})
	}
}
