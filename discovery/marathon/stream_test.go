package marathon_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"mlb/discovery/marathon"
)

// streamHead is how Marathon begins a stream.
const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nConnection: close\r\n\r\n"

// ev returns an event as Marathon writes it; more are members of its document.
func ev(kind, more string) string {
	return fmt.Sprintf("event: %s\r\ndata: {%s\"eventType\":%q,\"timestamp\":\"2019-05-14T10:00:00.111Z\"}\r\n\r\n", kind, more, kind)
}

func attached() string { return ev("event_stream_attached", `"remoteAddress":"10.0.9.5",`) }

func statusUpdate(app string) string {
	return ev("status_update_event", `"taskStatus":"TASK_RUNNING","appId":"`+app+`",`)
}

// reconnected is the hint of a new connection.
func reconnected() marathon.Hint { return marathon.Hint{Type: "reconnect", All: true} }

func updated(app string) marathon.Hint {
	return marathon.Hint{Type: "status_update_event", Apps: []string{app}}
}

// following is a stream that runs.
type following struct {
	stream   *marathon.Stream
	hints    chan marathon.Hint // without those that there is no stream
	without  atomic.Int64       // counts these
	logs     *observer.ObservedLogs
	registry *prometheus.Registry
	stop     func() error
}

// follow runs a stream until the test ends or stop is called.
func follow(t *testing.T, cfg marathon.StreamConfig, client marathon.ClientConfig, addresses ...string) *following {
	t.Helper()
	if cfg.MinBackoff == 0 {
		cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 50*time.Millisecond
	}
	core, logs := observer.New(zapcore.InfoLevel)
	f := &following{hints: make(chan marathon.Hint, 100_000), logs: logs, registry: prometheus.NewRegistry()}
	metrics := marathon.NewMetrics(f.registry)
	c, err := marathon.NewClient(client, newMasters(t, addresses...), metrics)
	if err != nil {
		t.Fatal(err)
	}
	f.stream = marathon.NewStream(cfg, c, zap.New(core), metrics)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- f.stream.Run(ctx, func(h marathon.Hint) {
			if diff := cmp.Diff(marathon.Hint{Type: "no stream", All: true}, h); diff != "" {
				f.hints <- h
				return
			}
			f.without.Add(1)
		})
	}()
	stopped := false
	f.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		defer c.Close()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return fmt.Errorf("Run did not return within %v", patience)
		}
	}
	t.Cleanup(func() {
		if err := f.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return f
}

// want compares the next hints.
func (f *following) want(t *testing.T, want ...marathon.Hint) {
	t.Helper()
	for i, w := range want {
		select {
		case got := <-f.hints:
			if diff := cmp.Diff(w, got); diff != "" {
				t.Fatalf("hint %d (-want +got):\n%s", i, diff)
			}
		case <-time.After(patience):
			t.Fatalf("hint %d did not come, want %+v; status %+v", i, w, f.stream.Status())
		}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// metric returns the value of a counter or gauge; label is the value of its label.
func metric(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func (f *following) lines() []string {
	var lines []string
	for _, entry := range f.logs.All() {
		lines = append(lines, entry.Message)
	}
	return lines
}

func TestTheRequestForEvents(t *testing.T) {
	t.Parallel()
	m := newMaster(t, then(says(streamHead+attached()), hangs))
	f := follow(t, marathon.StreamConfig{}, quick(), m.url+"/service/marathon/")
	f.want(t, reconnected())
	req := m.seen()[0]
	if req.URL.Path != "/service/marathon/v2/events" {
		t.Errorf("path %q", req.URL.Path)
	}
	// Marathon compares whole header lines: anything beside the type gets 405.
	if diff := cmp.Diff([]string{"text/event-stream"}, req.Header["Accept"]); diff != "" {
		t.Errorf("Accept (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"Cache-Control": "no-cache", "User-Agent": "marathon-lb", "Last-Event-Id": "", "Accept-Encoding": "gzip"} {
		if got := req.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	want := map[string][]string{
		"plan-format": {"light"},
		"event_type": {
			"api_post_event", "health_status_changed_event", "status_update_event", "event_stream_attached",
			"group_change_success", "app_terminated_event", "deployment_info", "deployment_success", "deployment_failed",
			"instance_changed_event", "instance_health_changed_event",
		},
	}
	if diff := cmp.Diff(want, map[string][]string(req.URL.Query())); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

func TestWhatEventsHintAt(t *testing.T) {
	t.Parallel()
	m := newMaster(t, then(says(streamHead), says(
		attached()+
			"\r\n"+
			attached()+ // another stream's
			statusUpdate("/a")+
			ev("instance_changed_event", `"instanceId":"i","runSpecId":"/b",`)+
			ev("health_status_changed_event", `"instanceId":"i","appId":"/c","alive":false,`)+
			ev("deployment_info", `"plan":{"id":"x"},`)+
			ev("deployment_step_success", `"plan":{"id":"x"},`)+
			ev("event_stream_detached", "")+
			ev("an_event_of_the_future", `"appId":"/d",`)+
			ev("group_change_success", `"groupId":"/",`)+
			ev("api_post_event", `"appDefinition":{"id":"/e"},`)+
			ev("deployment_success", `"id":"x","plan":{"steps":[{"actions":[{"type":"Start","app":"/f"},{"action":"StopPod","pod":"/g"}]}]},`)+
			ev("app_terminated_event", `"appId":"/h",`)),
		hangs))
	f := follow(t, marathon.StreamConfig{}, quick(), m.url)
	f.want(t, reconnected(), updated("/a"),
		marathon.Hint{Type: "instance_changed_event", Apps: []string{"/b"}},
		marathon.Hint{Type: "health_status_changed_event", Apps: []string{"/c"}, Health: true},
		marathon.Hint{Type: "deployment_info", All: true, Group: true, Ahead: true},
		marathon.Hint{Type: "group_change_success", All: true, Group: true, Ahead: true},
		marathon.Hint{Type: "api_post_event", Apps: []string{"/e"}, Ahead: true},
		marathon.Hint{Type: "deployment_success", Apps: []string{"/f", "/g"}, Gone: []string{"/g"}, Deployment: true, Ahead: true, News: marathon.News{Over: true}},
		marathon.Hint{Type: "app_terminated_event", Apps: []string{"/h"}, Gone: []string{"/h"}, News: marathon.News{Gone: true}})
	for label, want := range map[string]float64{"event_stream_attached": 2, "status_update_event": 1, "other": 3, "an_event_of_the_future": 0} {
		if got := metric(t, f.registry, "mlb_events_total", label); got != want {
			t.Errorf("%v events of type %s, want %v", got, label, want)
		}
	}
	if s := f.stream.Status(); !s.Connected || s.Master != m.url || s.LastEvent.IsZero() || s.LastByte.IsZero() || s.Error != "" {
		t.Errorf("status %+v", s)
	}
	if got := metric(t, f.registry, "mlb_stream_connected", ""); got != 1 {
		t.Errorf("mlb_stream_connected %v, want 1", got)
	}
}

func TestD13FramesThatAreUnlikeMarathons(t *testing.T) {
	t.Parallel()
	cr := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\r") }
	lf := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
	body := func(kind, app string) string { return fmt.Sprintf("{\"eventType\":%q,\"appId\":%q}", kind, app) }
	const update = "status_update_event"
	everything := marathon.Hint{Type: update, All: true}
	for _, tt := range []struct {
		name, events string
		want         []marathon.Hint
		unreadable   float64
	}{
		{"lines that end with LF", lf(statusUpdate("/a") + statusUpdate("/b")), []marathon.Hint{updated("/a"), updated("/b")}, 0},
		{"lines that end with CR", cr(statusUpdate("/a") + statusUpdate("/b")), []marathon.Hint{updated("/a"), updated("/b")}, 0},
		{"a line of 10 MB", ev(update, `"appId":"/a","message":"`+strings.Repeat("x", 10<<20)+`",`), []marathon.Hint{updated("/a")}, 0},
		{
			"an event above the limit costs only its content",
			ev(update, `"appId":"/a","message":"`+strings.Repeat("x", 20<<20)+`",`) + statusUpdate("/b"),
			[]marathon.Hint{everything, updated("/b")},
			1,
		},
		{
			"an unreadable event is skipped and the connection stays",
			"event: " + update + "\r\ndata: {\"eventType\":\r\n\r\n" + statusUpdate("/b"),
			[]marathon.Hint{everything, updated("/b")},
			1,
		},
		{"an unreadable event of no known type means nothing", "data: hello\r\n\r\n" + statusUpdate("/b"), []marathon.Hint{updated("/b")}, 1},
		{"two documents on one line", "data: " + body(update, "/a") + body(update, "/b") + "\r\n\r\n", []marathon.Hint{updated("/a"), updated("/b")}, 0},
		{"two documents parted by CR LF", "data: " + body(update, "/a") + "\r\n" + body(update, "/b") + "\r\n\r\n", []marathon.Hint{updated("/a"), updated("/b")}, 0},
		{
			"two merged events",
			"event: x\r\ndata: " + body("deployment_info", "/a") + "\r\nevent: " + update + "\r\ndata: " + body(update, "/b") + "\r\n\r\n",
			[]marathon.Hint{{Type: "deployment_info", Apps: []string{"/a"}, Deployment: true, Ahead: true}, updated("/b")},
			0,
		},
		{"a document on several lines", "data: {\"eventType\":\ndata: \"status_update_event\",\ndata: \"appId\":\"/a\"}\n\n", []marathon.Hint{updated("/a")}, 0},
		{"a type in the event line alone", "event: " + update + "\ndata: {\"appId\":\"/a\"}\n\n", []marathon.Hint{updated("/a")}, 0},
		{"a type in the document alone", "data: " + body(update, "/a") + "\n\n", []marathon.Hint{updated("/a")}, 0},
		{"empty payloads", "data: \r\n\r\nevent: " + update + "\r\n\r\ndata\r\n\r\n" + statusUpdate("/a"), []marathon.Hint{updated("/a")}, 0},
		{"comments", ": hello\r\n\r\n" + statusUpdate("/a"), []marathon.Hint{updated("/a")}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, then(says(streamHead+attached()+tt.events), hangs))
			f := follow(t, marathon.StreamConfig{MaxEvent: 16 << 20}, quick(), m.url)
			f.want(t, append([]marathon.Hint{reconnected()}, tt.want...)...)
			if got := metric(t, f.registry, "mlb_events_unreadable_total", ""); got != tt.unreadable {
				t.Errorf("%v unreadable events, want %v", got, tt.unreadable)
			}
			if n := m.count("/v2/events"); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

func TestAHeavyDeploymentEventIsRead(t *testing.T) {
	t.Parallel()
	heavy, err := os.ReadFile(filepath.Join("testdata", "events", "heavy-deployment-info-v1.4.sse"))
	if err != nil {
		t.Fatal(err)
	}
	m := newMaster(t, then(says(streamHead+attached()+string(heavy)+statusUpdate("/a")), hangs))
	f := follow(t, marathon.StreamConfig{}, quick(), m.url)
	f.want(t, reconnected(), marathon.Hint{
		Type: "deployment_info", Apps: []string{"/keys-and-values/db", "/keys-and-values/app"}, Deployment: true, Ahead: true,
	}, updated("/a"))
	if got := metric(t, f.registry, "mlb_events_unreadable_total", ""); got != 0 {
		t.Errorf("%v unreadable events", got)
	}
}

func TestACompressedStreamIsFollowed(t *testing.T) {
	t.Parallel()
	head := strings.Replace(streamHead, "\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n", 1)
	m := newMaster(t, says(head+packed(t, attached()+statusUpdate("/a"))))
	f := follow(t, marathon.StreamConfig{}, quick(), m.url)
	f.want(t, reconnected(), updated("/a"))
}

// slowly writes each piece in a segment of its own.
func slowly(pause time.Duration, pieces ...string) wire {
	return func(conn *net.TCPConn, _ *http.Request) {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for _, piece := range pieces {
			if _, err := conn.Write([]byte(piece)); err != nil {
				return
			}
			<-tick.C
		}
	}
}
