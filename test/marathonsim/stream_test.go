package marathonsim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// dial opens a raw connection to a master and sends a request.
func dial(t *testing.T, master, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(master, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(simtest.Deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

const subscribe = "GET /v2/events HTTP/1.1\nHost: marathon\nAccept: text/event-stream\n\n"

// readHead reads status line and header of an answer.
func readHead(t *testing.T, r *bufio.Reader) (string, http.Header) {
	t.Helper()
	tp := textproto.NewReader(r)
	status, err := tp.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	header, err := tp.ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	return status, http.Header(header)
}

// readFrame reads up to the next empty line.
func readFrame(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			t.Fatalf("%v after %q", err, b.String())
		}
		if line == "\r\n" {
			return b.String()
		}
	}
}

func TestAcceptMustBeExactlyTextEventStream(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	for name, tt := range map[string]struct{ request, want string }{
		"the exact line":               {"GET /v2/events HTTP/1.1\nHost: m\nAccept: text/event-stream\n\n", "200 OK"},
		"a further line":               {"GET /v2/events HTTP/1.1\nHost: m\nAccept: */*\nAccept: text/event-stream\n\n", "200 OK"},
		"two types on one line":        {"GET /v2/events HTTP/1.1\nHost: m\nAccept: text/event-stream, */*\n\n", "405 Method Not Allowed"},
		"a quality":                    {"GET /v2/events HTTP/1.1\nHost: m\nAccept: text/event-stream;q=1\n\n", "405 Method Not Allowed"},
		"none":                         {"GET /v2/events HTTP/1.1\nHost: m\n\n", "405 Method Not Allowed"},
		"none, and HTTP/1.0":           {"GET /v2/events HTTP/1.0\nHost: m\n\n", "400 Bad Request"},
		"the exact line, extra slash":  {"GET /v2//events/ HTTP/1.1\nHost: m\nAccept: text/event-stream\n\n", "200 OK"},
		"everything is not acceptable": {"GET /v2/events HTTP/1.1\nHost: m\nAccept: */*\n\n", "405 Method Not Allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r := dial(t, c.Masters()[0], tt.request)
			status, _ := readHead(t, r)
			if _, got, _ := strings.Cut(status, " "); got != tt.want {
				t.Errorf("status %q instead of %q", got, tt.want)
			}
		})
	}
}

func TestStreamIsFramedAsJettyDoes(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{HeartbeatInterval: 20 * time.Millisecond})
	_, r := dial(t, c.Masters()[0], subscribe)
	status, header := readHead(t, r)
	if status != "HTTP/1.1 200 OK" {
		t.Error(status)
	}
	raw, err := os.ReadFile("testdata/events/http-response-v1.9.raw")
	if err != nil {
		t.Fatal(err)
	}
	_, want := readHead(t, bufio.NewReader(strings.NewReader(string(raw))))
	want.Set("X-Marathon-Leader", c.Masters()[0])
	want.Set("Date", header.Get("Date"))
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("header (-want +got)\n%s", diff)
	}
	frame := readFrame(t, r)
	want1 := `event: event_stream_attached` + "\r\n" + `data: {"remoteAddress":"127.0.0.1","eventType":"event_stream_attached","timestamp":"`
	if !strings.HasPrefix(frame, want1) || strings.Count(frame, "\r\n") != 3 {
		t.Errorf("first frame %q", frame)
	}
	if heartbeat := readFrame(t, r); heartbeat != "\r\n" {
		t.Errorf("heartbeat %q", heartbeat)
	}
}

func TestHeartbeatComesInTwoWrites(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{HeartbeatInterval: 10 * time.Millisecond})
	conn, r := dial(t, c.Masters()[0], subscribe)
	readHead(t, r)
	readFrame(t, r)
	// TCP may join two writes; it would have to do so every time to hide them.
	for range 1000 {
		b := make([]byte, 16)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if string(b[:n]) == "\r" {
			return
		}
	}
	t.Error("CR and LF always came together")
}

// follower collects the events of a stream.
type follower struct {
	mu     sync.Mutex
	kinds  []string
	data   []string
	closed chan struct{}
}

func follow(t *testing.T, c *marathonsim.Cluster, query string) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Masters()[c.Leader()]+"/v2/events"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r) //nolint:bodyclose // the goroutine below closes it
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{closed: make(chan struct{})}
	go func() {
		defer close(f.closed)
		defer func() { _ = response.Body.Close() }()
		s := bufio.NewScanner(response.Body)
		s.Buffer(nil, 64<<20)
		for s.Scan() {
			f.mu.Lock()
			if kind, ok := strings.CutPrefix(s.Text(), "event: "); ok {
				f.kinds = append(f.kinds, kind)
			}
			if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
				f.data = append(f.data, data)
			}
			f.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-f.closed
	})
	return f
}

// events returns what has arrived as "type detail".
func (f *follower) events() (kinds, data []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(f.kinds), len(f.data))
	return slices.Clone(f.kinds[:n]), slices.Clone(f.data[:n])
}

func (f *follower) await(t *testing.T, what string, condition func(kinds []string) bool) {
	t.Helper()
	deadline := time.NewTimer(simtest.Deadline)
	defer deadline.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		kinds, _ := f.events()
		if condition(kinds) {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("waited for: %s; there are %q", what, kinds)
		}
	}
}

func (f *follower) awaitKind(t *testing.T, kind string, n int) {
	t.Helper()
	f.await(t, fmt.Sprintf("%d times %s", n, kind), func(kinds []string) bool {
		got := 0
		for _, k := range kinds {
			if k == kind {
				got++
			}
		}
		return got >= n
	})
}

// TestLifecycleEventsHaveTheFieldsOfTheGeneration drives an app through the life
// of the recorded streams and compares each event with the recorded one of its
// type, and the order of the types.
func TestLifecycleEventsHaveTheFieldsOfTheGeneration(t *testing.T) {
	t.Parallel()
	for _, generation := range marathonsim.Generations() {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, HealthInterval: 10 * time.Millisecond})
			f := follow(t, c, "?plan-format=light")
			f.awaitKind(t, "event_stream_attached", 1)
			live(t, c, f)
			checkKinds(t, f, generation)
		})
	}
}

// live is the life of the recorded app.
func live(t *testing.T, c *marathonsim.Cluster, f *follower) {
	t.Helper()
	document := `{"id":"/shop/web","instances":2,"cpus":0.1,
		"container":{"type":"DOCKER","docker":{"image":"nginx:1.15","network":"BRIDGE","portMappings":[
			{"containerPort":80,"hostPort":0,"servicePort":10310,"protocol":"tcp","name":"http"}]}},
		"healthChecks":[{"protocol":"HTTP","path":"/healthz","portIndex":0,"gracePeriodSeconds":5,"intervalSeconds":10,"timeoutSeconds":5}],
		"labels":{"HAPROXY_GROUP":"external","HAPROXY_0_VHOST":"shop.example.com"}}`
	if r, body := send(t, "POST", c.Masters()[0]+"/v2/apps", document); r.StatusCode != http.StatusCreated {
		t.Fatal(r.Status, body)
	}
	f.awaitKind(t, "deployment_success", 1)
	if r, body := send(t, "PUT", c.Masters()[0]+"/v2/apps//shop/web", `{"instances":3}`); r.StatusCode != http.StatusOK {
		t.Fatal(r.Status, body)
	}
	f.awaitKind(t, "deployment_success", 2)
	tasks := simtest.Running(t, c, "/shop/web", 3)
	if err := c.FailTask(tasks[0].ID); err != nil {
		t.Fatal(err)
	}
	failed := func(task marathonsim.TaskInfo) bool { return task.ID == tasks[0].ID }
	simtest.Wait(t, c, "a replacement", func() bool {
		return len(c.Ready("/shop/web")) == 3 && !slices.ContainsFunc(c.Tasks("/shop/web"), failed)
	})
	if r, body := send(t, "DELETE", c.Masters()[0]+"/v2/apps//shop/web", ""); r.StatusCode != http.StatusOK {
		t.Fatal(r.Status, body)
	}
	f.awaitKind(t, "deployment_success", 3)
}

// alike names, for each generation, those whose recorded events have the same
// fields and whose recorded life has the same order.
var alike = map[marathonsim.Generation]struct{ fields, order string }{ //nolint:gochecknoglobals // a constant
	marathonsim.V0_11: {"0.11", "0.11"},
	marathonsim.V0_15: {"0.15", "0.11"},
	marathonsim.V1_1:  {"1.1", "1.3"},
	marathonsim.V1_3:  {"1.3", "1.3"},
	marathonsim.V1_4:  {"1.4", "1.4"},
	marathonsim.V1_5:  {"1.5", "1.4"},
	marathonsim.V1_7:  {"1.9", "1.4"},
	marathonsim.V1_8:  {"1.9", "1.9"},
	marathonsim.V1_9:  {"1.9", "1.9"},
	marathonsim.V1_11: {"1.9", "1.9"},
}

func checkKinds(t *testing.T, f *follower, generation marathonsim.Generation) {
	t.Helper()
	var types map[string]any
	b, err := os.ReadFile("testdata/events/v" + alike[generation].fields + "-types.json")
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(b, &types); err != nil {
		t.Fatal(err)
	}
	kinds, data := f.events()
	for i, kind := range kinds {
		var event map[string]any
		if err = json.Unmarshal([]byte(data[i]), &event); err != nil {
			t.Fatal(err)
		}
		if event["eventType"] != kind {
			t.Errorf("event %q has type %q", kind, event["eventType"])
		}
		if types[kind] == nil {
			t.Errorf("event %q does not exist in %s", kind, generation)
			continue
		}
		if diff := cmp.Diff(fieldsOf(types[kind]), fieldsOf(event)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", kind, diff)
		}
	}
	stream, err := os.ReadFile("testdata/events/v" + alike[generation].order + "-lifecycle.sse")
	if err != nil {
		t.Fatal(err)
	}
	want, got := firstOfEach(recordedKinds(string(stream))), firstOfEach(kinds)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order of first appearances (-want +got)\n%s", diff)
	}
}

// fieldsOf returns the sorted names of an event's members.
func fieldsOf(v any) []string {
	var names []string
	for name := range v.(map[string]any) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func recordedKinds(stream string) []string {
	var kinds []string
	for line := range strings.SplitSeq(stream, "\r\n") {
		if kind, ok := strings.CutPrefix(line, "event: "); ok {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// firstOfEach returns the types in the order of their first appearance, without
// those that have to do with a second consumer and a new leader.
func firstOfEach(kinds []string) []string {
	var out []string
	for _, k := range kinds {
		if !slices.Contains(out, k) && k != "event_stream_detached" && k != "scheduler_registered_event" {
			out = append(out, k)
		}
	}
	return out
}

func TestStreamFiltersAndPlans(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Generation: marathonsim.V1_5})
	all := follow(t, c, "")
	some := follow(t, c, "?event_type=group_change_success&event_type=unheard_of")
	light := follow(t, c, "?plan-format=light")
	simtest.Wait(t, c, "three streams", func() bool { return c.Streams() == 3 })
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve"}`)
	for _, f := range []*follower{all, light} {
		f.awaitKind(t, "deployment_success", 1)
	}
	some.awaitKind(t, "group_change_success", 1)
	if kinds, _ := some.events(); len(kinds) != 1 {
		t.Errorf("the filter let through %q", kinds)
	}
	for name, f := range map[string]*follower{"heavy": all, "light": light} {
		kinds, data := f.events()
		i := slices.Index(kinds, "deployment_info")
		if got := strings.Contains(data[i], `"target":{"id":"/"`); got != (name == "heavy") {
			t.Errorf("%s plan: %s", name, data[i])
		}
	}
}

// TestOldGenerationsIgnoreParametersOfStreams follows Marathon facts 2:
// event_type is obeyed since 1.3.7, plan-format since 1.5.9.
func TestOldGenerationsIgnoreParametersOfStreams(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Generation: marathonsim.V1_1})
	f := follow(t, c, "?event_type=group_change_success&plan-format=light")
	f.awaitKind(t, "event_stream_attached", 1)
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve"}`)
	f.awaitKind(t, "deployment_success", 1)
	kinds, data := f.events()
	if i := slices.Index(kinds, "deployment_info"); !strings.Contains(data[i], `"target":{"id":"/"`) {
		t.Errorf("light plan: %s", data[i])
	}
}

func TestSlowStream(t *testing.T) {
	t.Parallel()
	for generation, closed := range map[marathonsim.Generation]bool{marathonsim.V1_4: false, marathonsim.V1_9: true} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Unserved: true, MaxOutstanding: 4, LaunchDelay: -1})
			// Not reading fills the kernel's buffers, then the stream's queue.
			conn, r := dial(t, c.Masters()[0], strings.Replace(subscribe, "events", "events?plan-format=light", 1))
			if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
				t.Fatal(err)
			}
			readHead(t, r)
			simtest.Wait(t, c, "the stream", func() bool { return c.Streams() == 1 })
			simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","instances":0,"labels":{"big":"`+strings.Repeat("x", 1<<18)+`"}}`)
			for i := range 30 {
				simtest.Deploy(t, c, `{"id":"/a","disk":`+strconv.Itoa(i)+`}`)
			}
			if closed {
				simtest.Wait(t, c, "the end of the slow stream", func() bool { return c.Streams() == 0 })
			} else if n := c.Streams(); n != 1 {
				t.Errorf("%d streams are left", n)
			}
		})
	}
}

func TestEventsAndTheAPI(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{StoreDelay: 300 * time.Millisecond})
	f := follow(t, c, "")
	f.awaitKind(t, "event_stream_attached", 1)
	done := make(chan error, 1)
	go func() { done <- c.Deploy(`{"id":"/late","cmd":"serve"}`) }()
	f.awaitKind(t, "deployment_info", 1)
	if r, _ := get(t, c.Masters()[0]+"/v2/apps//late"); r.StatusCode != http.StatusNotFound {
		t.Errorf("the app is there before it was stored: %s", r.Status)
	}
	f.awaitKind(t, "group_change_success", 1)
	if r, _ := get(t, c.Masters()[0]+"/v2/apps//late"); r.StatusCode != http.StatusOK {
		t.Errorf("the app is not there after group_change_success: %s", r.Status)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// What the observer has seen comes over the stream, in the same order.
func TestObserverSeesEachEventBeforeTheStreams(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var kinds, documents []string
	c := simtest.Start(t, marathonsim.Options{Unserved: true, Observer: func(kind string, document []byte) {
		mu.Lock()
		defer mu.Unlock()
		kinds, documents = append(kinds, kind), append(documents, string(document))
	}})
	f := follow(t, c, "?plan-format=light")
	f.awaitKind(t, "event_stream_attached", 1)
	simtest.Deploy(t, c, `{"id":"/cart","cmd":"serve"}`)
	simtest.Running(t, c, "/cart", 1)
	f.awaitKind(t, "deployment_success", 1)
	gotKinds, gotDocuments := f.events()
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(kinds, gotKinds); diff != "" {
		t.Errorf("types (-observer +stream):\n%s", diff)
	}
	if diff := cmp.Diff(documents, gotDocuments); diff != "" {
		t.Errorf("documents (-observer +stream):\n%s", diff)
	}
}
