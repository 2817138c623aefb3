package marathonsim_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

func TestStandbysProxyAndNameTheirWay(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Masters: 3})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve"}`)
	simtest.Running(t, c, "/a", 1)
	urls := c.Masters()
	for i, url := range urls {
		r, body := get(t, url+"/v2/apps")
		if r.StatusCode != http.StatusOK || !strings.Contains(body, `"id":"/a"`) {
			t.Errorf("master %d: %s %s", i, r.Status, body)
		}
		if got := r.Header.Get("X-Marathon-Leader"); got != urls[0] {
			t.Errorf("master %d: leader %q", i, got)
		}
		want := ""
		if i != c.Leader() {
			want = "1.1 " + strings.TrimPrefix(url, "http://")
		}
		if got := r.Header.Get("X-Marathon-Via"); got != want {
			t.Errorf("master %d: via %q instead of %q", i, got, want)
		}
	}
	// A request that has passed the standby already goes in circles.
	r, _ := get(t, urls[1]+"/v2/apps", "X-Marathon-Via", "1.1 "+strings.TrimPrefix(urls[1], "http://"))
	if r.StatusCode != http.StatusBadGateway {
		t.Errorf("loop: %s", r.Status)
	}
	if r, body := send(t, "PUT", urls[2]+"/v2/apps//a", `{"instances":0}`); r.StatusCode != http.StatusOK {
		t.Errorf("PUT through a standby: %s %s", r.Status, body)
	}
}

func TestStandbysAndEvents(t *testing.T) {
	t.Parallel()
	t.Run("1.9 names the leader", func(t *testing.T) {
		t.Parallel()
		c := simtest.Start(t, marathonsim.Options{Masters: 2})
		r, body := get(t, c.Masters()[1]+"/v2/events?event_type=a&event_type=b", "Accept", "text/event-stream")
		if want := c.Masters()[0] + "/v2/events?event_type=a&event_type=b"; r.StatusCode != http.StatusFound || r.Header.Get("Location") != want || body != "" {
			t.Errorf("%s, location %q, %q", r.Status, r.Header.Get("Location"), body)
		}
	})
	t.Run("1.4 proxies", func(t *testing.T) {
		t.Parallel()
		c := simtest.Start(t, marathonsim.Options{Masters: 2, Generation: marathonsim.V1_4})
		conn, r := dial(t, c.Masters()[1], subscribe)
		if status, header := readHead(t, r); status != "HTTP/1.1 200 OK" || header.Get("X-Marathon-Via") == "" {
			t.Error(status, header)
		}
		if frame := readFrame(t, r); !strings.HasPrefix(frame, "event: event_stream_attached\r\n") {
			t.Error(frame)
		}
		_ = conn.Close()
		simtest.Wait(t, c, "the end of the stream", func() bool { return c.Streams() == 0 })
	})
}

func TestLeaderChange(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Masters: 3, HealthInterval: 50 * time.Millisecond})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","instances":2,"healthChecks":[{"protocol":"TCP"}]}`)
	before := simtest.Running(t, c, "/a", 2)
	f := follow(t, c, "")
	f.awaitKind(t, "event_stream_attached", 1)
	if r, body := send(t, "DELETE", c.Masters()[0]+"/v2/leader", ""); r.StatusCode != http.StatusOK || body != `{"message":"Leadership abdicated"}` {
		t.Fatal(r.Status, body)
	}
	<-f.closed
	if kinds, _ := f.events(); len(kinds) == 0 {
		t.Error("no events before the change")
	}
	simtest.Wait(t, c, "another leader", func() bool { return c.Leader() > 0 })
	_, body := get(t, c.Masters()[c.Leader()]+"/v2/leader")
	if !strings.Contains(body, strings.TrimPrefix(c.Masters()[c.Leader()], "http://")) {
		t.Error(body)
	}
	after := simtest.Running(t, c, "/a", 2) // with new results
	for i := range after {
		if after[i].ID != before[i].ID {
			t.Errorf("task %s did not survive", before[i].ID)
		}
	}
	simtest.Wait(t, c, "the old master", func() bool {
		r, _, err := try(t.Context(), "GET", c.Masters()[0]+"/v2/apps", "")
		return err == nil && r.StatusCode == http.StatusOK
	})
}

func TestHealthIsForgottenAtALeaderChange(t *testing.T) {
	t.Parallel()
	// The next results come after an interval of a minute.
	c := simtest.Start(t, marathonsim.Options{Masters: 2})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[{"protocol":"TCP","intervalSeconds":1}]}`)
	simtest.Running(t, c, "/a", 1)
	if err := c.StopMaster(c.Leader()); err != nil {
		t.Fatal(err)
	}
	task := c.Tasks("/a")[0]
	if task.State != "TASK_RUNNING" || task.Healthy != nil {
		t.Errorf("state %s, healthy %v", task.State, task.Healthy)
	}
	simtest.Wait(t, c, "the new leader", func() bool { return c.Leader() == 1 })
	simtest.Running(t, c, "/a", 1)
}

func TestAllMastersDownAndBack(t *testing.T) {
	t.Parallel()
	for generation, status := range map[marathonsim.Generation]int{marathonsim.V1_4: 503, marathonsim.V1_9: 502} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{
				Generation: generation, Masters: 2, LeaderWait: 50 * time.Millisecond, ElectionDelay: time.Hour,
			})
			simtest.Deploy(t, c, `{"id":"/a","cmd":"serve"}`)
			task := simtest.Running(t, c, "/a", 1)[0]
			urls := c.Masters()
			if err := c.StopMaster(0); err != nil {
				t.Fatal(err)
			}
			r, body := get(t, urls[1]+"/v2/apps")
			if r.StatusCode != status || !strings.Contains(body, "Could not determine the current leader") ||
				!strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				t.Errorf("without a leader: %s %s", r.Status, body)
			}
			if err := c.StopMaster(1); err != nil {
				t.Fatal(err)
			}
			if _, _, err := try(t.Context(), "GET", urls[1]+"/ping", ""); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a stopped master: %v", err)
			}
			if r, _ := get(t, "http://"+task.Addr(0)); r.Header.Get("X-Task") != task.ID {
				t.Error("tasks do not go on")
			}
			if err := c.StartMaster(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if got := c.Masters()[1]; got != urls[1] {
				t.Errorf("the address became %s", got)
			}
		})
	}
}

func TestTaskThatDiesWithoutALeaderIsReplacedByTheNextOne(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Speed: 100})
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve"}`)
	task := simtest.Running(t, c, "/a", 1)[0]
	if err := c.StopMaster(0); err != nil {
		t.Fatal(err)
	}
	if err := c.CrashTask(task.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.StartMaster(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	simtest.Wait(t, c, "another task", func() bool {
		ready := c.Ready("/a")
		return len(ready) == 1 && ready[0].ID != task.ID
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	// What a fault of the only master does to GET /v2/apps.
	for name, tt := range map[string]struct {
		fault marathonsim.Fault
		check func(t *testing.T, r *reply, body string, err error)
	}{
		"delay": {marathonsim.Fault{Kind: marathonsim.FaultDelay, Delay: 50 * time.Millisecond}, func(t *testing.T, r *reply, body string, err error) {
			t.Helper()
			if err != nil || !json.Valid([]byte(body)) {
				t.Error(r, body, err)
			}
		}},
		"hang": {marathonsim.Fault{Kind: marathonsim.FaultHang}, func(t *testing.T, _ *reply, _ string, err error) {
			t.Helper()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}},
		"reset": {marathonsim.Fault{Kind: marathonsim.FaultReset}, func(t *testing.T, _ *reply, _ string, err error) {
			t.Helper()
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
		}},
		"truncate": {marathonsim.Fault{Kind: marathonsim.FaultTruncate}, func(t *testing.T, r *reply, body string, err error) {
			t.Helper()
			if !errors.Is(err, io.ErrUnexpectedEOF) || r.StatusCode != http.StatusOK || len(body) == 0 || json.Valid([]byte(body)) {
				t.Error(r, body, err)
			}
		}},
		"empty": {marathonsim.Fault{Kind: marathonsim.FaultEmpty}, func(t *testing.T, r *reply, body string, err error) {
			t.Helper()
			if err != nil || r.StatusCode != http.StatusOK || body != "" || r.Header.Get("Content-Length") != "0" {
				t.Error(r, body, err)
			}
		}},
		"status": {marathonsim.Fault{Kind: marathonsim.FaultStatus, Status: 503}, func(t *testing.T, r *reply, body string, err error) {
			t.Helper()
			if err != nil || r.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(body, "<html>") {
				t.Error(r, body, err)
			}
		}},
		"no apps": {marathonsim.Fault{Kind: marathonsim.FaultNoApps}, func(t *testing.T, r *reply, body string, err error) {
			t.Helper()
			if err != nil || r.StatusCode != http.StatusOK || body != `{"apps":[]}` {
				t.Error(r, body, err)
			}
		}},
		"another path": {marathonsim.Fault{Kind: marathonsim.FaultReset, Path: "/v2/groups"}, func(t *testing.T, r *reply, body string, err error) {
			t.Helper()
			if err != nil || !json.Valid([]byte(body)) {
				t.Error(r, body, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{})
			simtest.Deploy(t, c, `{"id":"/a","cmd":"serve"}`)
			c.SetFault(marathonsim.AllMasters, tt.fault)
			ctx := t.Context()
			if tt.fault.Kind == marathonsim.FaultHang {
				short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				ctx = short
			}
			r, body, err := try(ctx, "GET", c.Masters()[0]+"/v2/apps", "")
			tt.check(t, r, body, err)
			c.SetFault(0, marathonsim.Fault{})
			if r, body := get(t, c.Masters()[0]+"/v2/apps"); r.StatusCode != http.StatusOK || !strings.Contains(body, `"id":"/a"`) {
				t.Errorf("afterwards: %s %s", r.Status, body)
			}
		})
	}
}

func TestFaultEndsAfterItsCount(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultStatus, Count: 2})
	for i, want := range []int{500, 500, 200} {
		if r, _ := get(t, c.Masters()[0]+"/v2/apps"); r.StatusCode != want {
			t.Errorf("request %d: %s", i, r.Status)
		}
	}
}

func TestHangingLeaderBehindAStandby(t *testing.T) {
	t.Parallel()
	for generation, want := range map[marathonsim.Generation]int{marathonsim.V1_4: 504, marathonsim.V1_9: 502} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Masters: 2, ProxyTimeout: 50 * time.Millisecond})
			c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultHang})
			if r, _ := get(t, c.Masters()[1]+"/v2/apps"); r.StatusCode != want {
				t.Error(r.Status)
			}
			c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultTruncate})
			if _, body, err := try(t.Context(), "GET", c.Masters()[1]+"/v2/info", ""); err == nil {
				t.Errorf("a truncated answer became whole: %s", body)
			}
		})
	}
}

func TestFaultsOfStreams(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{HeartbeatInterval: 10 * time.Millisecond})
	_, r := dial(t, c.Masters()[0], subscribe)
	readHead(t, r)
	readFrame(t, r)
	c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultMuteStream})
	simtest.Deploy(t, c, `{"id":"/lost","cmd":"serve","instances":0}`)
	for range 3 {
		if frame := readFrame(t, r); frame != "\r\n" {
			t.Errorf("a mute stream said %q", frame)
		}
	}
	c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultSplitStream})
	simtest.Deploy(t, c, `{"id":"/seen","cmd":"serve","instances":0}`)
	for {
		if frame := readFrame(t, r); strings.Contains(frame, "/lost") {
			t.Errorf("a lost event came back: %q", frame)
		} else if strings.HasPrefix(frame, "event: api_post_event\r\n") {
			break
		}
	}
	c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultCloseStream})
	_, r = dial(t, c.Masters()[0], subscribe)
	if status, _ := readHead(t, r); status != "HTTP/1.1 200 OK" {
		t.Error(status)
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestNewLeaderDoesNotPublishAtOnce(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{StreamDelay: time.Hour})
	_, r := dial(t, c.Masters()[0], subscribe)
	if status, _ := readHead(t, r); status != "HTTP/1.1 200 OK" {
		t.Error(status)
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestBasicAuthentication(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Username: "lb", Password: "a:b", Masters: 2})
	for _, url := range c.Masters() {
		for _, path := range []string{"/ping", "/v2/apps", "/v2/events"} {
			r, _ := get(t, url+path)
			if r.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Basic realm=") {
				t.Errorf("%s: %s", path, r.Status)
			}
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v2/apps", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("lb", "a:b")
		response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Error(response.Status)
		}
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Masters: 2})
	for i, url := range c.Masters() {
		r, body := get(t, url+"/v2/apps", "Accept-Encoding", "gzip")
		if r.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("master %d: %v", i, r.Header)
		}
		z, err := gzip.NewReader(bufio.NewReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil || string(plain) != `{"apps":[]}` {
			t.Errorf("master %d: %q, %v", i, plain, err)
		}
	}
}
