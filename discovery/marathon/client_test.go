package marathon_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

const twoApps = `{"apps":[{"id":"/a"},{"id":"/b"}]}`

// trickles sends a byte now and then, for ever.
func trickles(conn *net.TCPConn, _ *http.Request) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := conn.Write([]byte(" ")); err != nil {
			return
		}
	}
}

// badAnswers are all the ways in which a master can fail to answer, by the reason
// under which each is counted.
func badAnswers(t *testing.T) map[string]wire {
	t.Helper()
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	long := packed(t, twoApps+strings.Repeat(" ", 5000))
	return map[string]wire{
		"status 400":                        answers(http.StatusBadRequest, jsonType, `{}`),
		"status 401":                        answers(http.StatusUnauthorized, jsonType, `{}`),
		"status 403":                        answers(http.StatusForbidden, jsonType, `{}`),
		"status 404 of Marathon":            answers(http.StatusNotFound, jsonType, `{"message":"no"}`),
		"status 404 of a proxy":             answers(http.StatusNotFound, "Content-Type: text/html\r\n", "<html/>"),
		"status 500 with a list":            answers(http.StatusInternalServerError, jsonType, twoApps),
		"status 502 without leader":         answers(http.StatusBadGateway, "Content-Type: text/html\r\n", "<html/>"),
		"status 503 without leader":         answers(http.StatusServiceUnavailable, "", "Could not determine the current leader"),
		"status 204":                        says("HTTP/1.1 204 No Content\r\n\r\n"),
		"redirect without target":           answers(http.StatusFound, "", ""),
		"redirect to nowhere":               answers(http.StatusFound, "Location: file:///etc/passwd\r\n", ""),
		"200 with an empty body":            answers(http.StatusOK, jsonType, ""),
		"200 with white space":              answers(http.StatusOK, jsonType, "\n"),
		"200 with HTML":                     answers(http.StatusOK, "Content-Type: text/html\r\n", "<html><body>sign in</body></html>"),
		"200 with JSON that is no list":     answers(http.StatusOK, jsonType, `{"message":"hello"}`),
		"200 with apps null":                answers(http.StatusOK, jsonType, `{"apps":null}`),
		"cut short of its length":           says(head + "Content-Length: 900\r\n\r\n" + twoApps),
		"cut short within the list":         says(head + "Content-Length: 900\r\n\r\n" + twoApps[:20]),
		"cut short in chunks":               says(head + "Transfer-Encoding: chunked\r\n\r\n14\r\n" + twoApps[:20] + "\r\n"),
		"ended early without length":        says(head + "Connection: close\r\n\r\n" + twoApps[:20]),
		"gzip cut short":                    says(head + "Connection: close\r\nContent-Encoding: gzip\r\n\r\n" + long[:len(long)-6]),
		"gzip that is none":                 answers(http.StatusOK, jsonType+"Content-Encoding: gzip\r\n", twoApps),
		"encoding that nobody asked for":    answers(http.StatusOK, jsonType+"Content-Encoding: br\r\n", twoApps),
		"larger than the limit":             answers(http.StatusOK, jsonType, twoApps+strings.Repeat(" ", 8000)),
		"larger than the limit when opened": answers(http.StatusOK, jsonType+"Content-Encoding: gzip\r\n", packed(t, twoApps+strings.Repeat(" ", 8000))),
		"accepts and never answers":         hangs,
		"hangs within the head":             then(says("HTTP/1.1 200 OK\r\nContent-"), hangs),
		"hangs within the body":             then(says(head+"Content-Length: 900\r\n\r\n"+twoApps[:20]), hangs),
		"trickles for ever":                 then(says(head+"Connection: close\r\n\r\n"), trickles),
		"resets":                            resets,
		"resets within the body":            then(says(head+"Content-Length: 900\r\n\r\n"+twoApps[:20]), resets),
		"closes without a word":             says(""),
		"speaks another protocol":           says("SSH-2.0-OpenSSH\r\n"),
	}
}

func TestD11ABadAnswerIsAReasonToAskTheNextMaster(t *testing.T) {
	t.Parallel()
	for name, bad := range badAnswers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := newMaster(t, bad), newMaster(t, list("/good"))
			cfg := quick()
			cfg.ReadTimeout, cfg.MaxBody = time.Second, 8000
			c := newClient(t, cfg, first.url, second.url)
			for range 2 {
				got, err := c.Apps(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if got.Master != second.url || len(got.Apps) != 1 || got.Apps[0].ID != "/good" {
					t.Errorf("got %d apps from %s, want /good from %s", len(got.Apps), got.Master, second.url)
				}
			}
			if n := second.count("/v2/apps"); n != 2 {
				t.Errorf("second master was asked %d times, want 2", n)
			}
			// The one that answered is asked first from now on (a broken
			// connection is tried a second time).
			if n := first.count("/v2/apps"); n < 1 || n > 2 {
				t.Errorf("first master was asked %d times, want once", n)
			}
		})
	}
}

func TestABadAnswerIsNeverAnEmptyList(t *testing.T) {
	t.Parallel()
	for name, bad := range badAnswers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, bad)
			cfg := quick()
			cfg.ReadTimeout, cfg.MaxBody = time.Second, 8000
			got, err := newClient(t, cfg, m.url).Apps(t.Context())
			if err == nil {
				t.Fatalf("got %d apps and no error", len(got.Apps))
			}
			if !strings.Contains(err.Error(), m.url) {
				t.Errorf("error %q does not name the master", err)
			}
			want := strings.HasPrefix(name, "status 401") || strings.HasPrefix(name, "status 403")
			if is := errors.Is(err, marathon.ErrUnauthorized); is != want {
				t.Errorf("errors.Is(%q, ErrUnauthorized) = %v, want %v", err, is, want)
			}
			if errors.Is(err, marathon.ErrNotFound) {
				t.Errorf("%q is ErrNotFound", err)
			}
		})
	}
}

func TestAMasterThatIsDownIsPassedOver(t *testing.T) {
	t.Parallel()
	good := newMaster(t, list("/good"))
	got, err := newClient(t, quick(), refusing(t), good.url).Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Master != good.url {
		t.Errorf("master %s, want %s", got.Master, good.url)
	}
}

func TestAnEmptyListIsAnAnswer(t *testing.T) {
	t.Parallel()
	m := newMaster(t, answers(http.StatusOK, jsonType, `{"apps":[]}`))
	got, err := newClient(t, quick(), m.url).Apps(t.Context())
	if err != nil || got.Apps == nil || len(got.Apps) != 0 {
		t.Errorf("apps %v, error %v; want an empty list", got.Apps, err)
	}
}

func TestTheErrorOfAFetchNamesEveryMasterAndNoSecret(t *testing.T) {
	t.Parallel()
	one := newMaster(t, answers(http.StatusServiceUnavailable, "", ""))
	two := newMaster(t, answers(http.StatusForbidden, "", ""))
	down := refusing(t)
	_, err := newClient(t, quick(), withUser(one.url, "bob:hush"), withUser(two.url, "bob:hush"), withUser(down, "bob:hush")).
		Apps(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{one.url, two.url, down, "status 503", "status 403"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	if text := err.Error(); strings.Contains(text, "hush") || strings.Contains(text, "bob") || strings.Contains(text, "\n") {
		t.Errorf("error %q tells a secret or has several lines", text)
	}
}

func TestTheRequestForApps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, suffix, path string }{
		{"base URL as it is", "", "/v2/apps"},
		{"trailing slash does no harm", "/", "/v2/apps"},
		{"path prefix is kept", "/service/marathon", "/service/marathon/v2/apps"},
		{"path prefix with trailing slash", "/service/marathon/", "/service/marathon/v2/apps"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, list("/a"))
			got, err := newClient(t, quick(), m.url+tt.suffix).Apps(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimRight(m.url+tt.suffix, "/"); got.Master != want {
				t.Errorf("master %q, want %q", got.Master, want)
			}
			req := m.seen()[0]
			if want := tt.path + "?embed=apps.tasks"; req.RequestURI != want {
				t.Errorf("asked for %q, want %q", req.RequestURI, want)
			}
			want := http.Header{
				"Accept": {"application/json"}, "Content-Type": {"application/json"},
				"Accept-Encoding": {"gzip"}, "User-Agent": {"marathon-lb"},
			}
			if diff := cmp.Diff(want, req.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompressedAnswersAreCountedAsTheyCame(t *testing.T) {
	t.Parallel()
	body := packed(t, twoApps+strings.Repeat(" ", 5000))
	m := newMaster(t, answers(http.StatusOK, jsonType+"Content-Encoding: gzip\r\n", body))
	got, err := newClient(t, quick(), m.url).Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Apps) != 2 || got.Bytes != int64(len(body)) {
		t.Errorf("%d apps in %d bytes, want 2 in %d", len(got.Apps), got.Bytes, len(body))
	}
}

func TestASlowMasterIsHeardInTheEnd(t *testing.T) {
	t.Parallel()
	late := func(conn *net.TCPConn, req *http.Request) {
		wait := time.NewTimer(3200 * time.Millisecond)
		defer wait.Stop()
		<-wait.C
		list("/late")(conn, req)
	}
	m := newMaster(t, late)
	c := newClient(t, marathon.ClientConfig{ConnectTimeout: 2 * time.Second, HeaderTimeout: 800 * time.Millisecond, Proxy: direct}, m.url)
	if _, err := c.Apps(t.Context()); err == nil {
		t.Fatal("the first deadline was not kept")
	}
	if _, err := c.Apps(t.Context()); err != nil {
		t.Fatalf("second fetch: %v", err)
	}
}

func TestABrokenConnectionIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]wire{"closed": says(""), "reset": resets} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, turns(breaks, list("/a")))
			if _, err := newClient(t, quick(), m.url).Apps(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestACancelledFetchReturnsAtOnce(t *testing.T) {
	t.Parallel()
	m := newMaster(t, hangs)
	ctx, cancel := contextWithTimeout(t, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	cfg := quick()
	cfg.HeaderTimeout = patience
	if _, err := newClient(t, cfg, m.url, m.url+"/again").Apps(ctx); !errors.Is(err, ctx.Err()) || err == nil {
		t.Errorf("error %v, want the context's", err)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("took %v", took)
	}
}

func TestOneApp(t *testing.T) {
	t.Parallel()
	one := newMaster(t, paths(map[string]wire{
		"/v2/apps/shop/cart": answers(http.StatusOK, jsonType, `{"app":{"id":"/shop/cart","tasks":[]}}`),
		"/v2/apps/other":     answers(http.StatusOK, jsonType, `{"app":{"id":"/shop/cart","tasks":[]}}`),
		"/v2/apps/short":     answers(http.StatusOK, jsonType, `{"app":{"id":"/short"}}`),
		"/v2/apps/gone":      answers(http.StatusNotFound, jsonType, `{"message":"App '/gone' does not exist"}`),
		"/v2/apps/sick":      answers(http.StatusInternalServerError, jsonType, `{}`),
	}))
	two := newMaster(t, paths(map[string]wire{
		"/v2/apps/other": answers(http.StatusOK, jsonType, `{"app":{"id":"/other","tasks":[]}}`),
		"/v2/apps/short": answers(http.StatusOK, jsonType, `{"app":{"id":"/short","tasks":[]}}`),
		"/v2/apps/sick":  answers(http.StatusOK, jsonType, `{"app":{"id":"/sick","tasks":[]}}`),
		"/v2/apps/proxy": answers(http.StatusOK, jsonType, `{"app":{"id":"/proxy","tasks":[]}}`),
	}))
	for _, tt := range []struct {
		name, id string
		want     string
		err      error
	}{
		{"is read by its ID", "/shop/cart", "/shop/cart", nil},
		{"that Marathon does not know is not found", "/gone", "", marathon.ErrNotFound},
		{"is asked of the next master after an error", "/sick", "/sick", nil},
		{"is asked of the next master after an answer about another one", "/other", "/other", nil},
		{"is asked of the next master after an answer without tasks", "/short", "/short", nil},
		{"is asked of the next master when a proxy knows no such path", "/proxy", "/proxy", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newClient(t, quick(), one.url, two.url).App(t.Context(), tt.id, 0)
			id := ""
			if len(got.Apps) > 0 {
				id = got.Apps[0].ID
			}
			if id != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, error %v; want %q, error %v", id, err, tt.want, tt.err)
			}
		})
	}
}
