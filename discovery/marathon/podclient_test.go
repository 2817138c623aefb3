package marathon_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

// podMaster has one app, and answers questions about pods as the function says.
func podMaster(t *testing.T, pods func() wire) *rawMaster {
	t.Helper()
	return newMaster(t, func(conn *net.TCPConn, req *http.Request) {
		if req.URL.Path == "/v2/apps" {
			answers(http.StatusOK, "", `{"apps": [{"id": "/a"}]}`)(conn, req)
			return
		}
		pods()(conn, req)
	})
}

func podClient(t *testing.T, m *rawMaster) *marathon.Client {
	t.Helper()
	cfg := quick()
	cfg.Pods = true
	return newClient(t, cfg, m.url)
}

func appIDs(apps []marathon.App) []string {
	list := []string{}
	for i := range apps {
		list = append(list, apps[i].ID)
	}
	return list
}

// TestPodsAreReadWithTheApps: after them, and not at all unless they are wanted.
func TestPodsAreReadWithTheApps(t *testing.T) {
	t.Parallel()
	m := podMaster(t, func() wire { return answers(http.StatusOK, "", `[{"id": "/p"}, {"id": "/q"}]`) })
	got, err := podClient(t, m).Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/a", "/p", "/q"}, appIDs(got.Apps)); diff != "" {
		t.Errorf("apps (-want +got):\n%s", diff)
	}
	if want := int64(len(`{"apps": [{"id": "/a"}]}` + `[{"id": "/p"}, {"id": "/q"}]`)); got.Bytes != want {
		t.Errorf("%d bytes, want %d", got.Bytes, want)
	}
	if got, err = newClient(t, quick(), m.url).Apps(t.Context()); err != nil || len(got.Apps) != 1 {
		t.Errorf("without the option: %+v, %v", got.Apps, err)
	}
	if n := m.count("/v2/pods::status"); n != 1 {
		t.Errorf("%d questions for pods, want 1", n)
	}
}

// TestAnswersThatMeanNoPods: only a path that Marathon does not know does, and only
// before there was a list of pods. Everything else fails the whole reading.
func TestAnswersThatMeanNoPods(t *testing.T) {
	t.Parallel()
	const asJSON = "Content-Type: application/json\r\n"
	tests := map[string]struct {
		answer wire
		none   bool
	}{
		"an empty list":             {answers(200, asJSON, `[]`), true},
		"404 as up to 1.3":          {answers(404, "Content-Type: text/html\r\n", `<html>Not Found</html>`), true},
		"404 in JSON":               {answers(404, asJSON, `{"message": "no"}`), true},
		"500 as from 1.6 on":        {answers(500, asJSON, `{"message": "URI not found"}`), true},
		"500 of another kind":       {answers(500, asJSON, `{"message": "boom"}`), false},
		"500 without a word":        {answers(500, "", ""), false},
		"503":                       {answers(503, "", ""), false},
		"403":                       {answers(403, asJSON, `{}`), false},
		"an empty body":             {answers(200, asJSON, ""), false},
		"something that is no list": {answers(200, asJSON, `{"pods": []}`), false},
		"a list that breaks off":    {says("HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n[{\"id\": \"/p\"}"), false},
		"no answer at all":          {resets, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := podClient(t, podMaster(t, func() wire { return tt.answer }))
			got, err := c.Apps(t.Context())
			switch {
			case !tt.none && err == nil:
				t.Errorf("read %v", appIDs(got.Apps))
			case tt.none && (err != nil || len(got.Apps) != 1):
				t.Errorf("read %v, %v; want the app", appIDs(got.Apps), err)
			}
		})
		if !strings.Contains(name, "404") && !strings.Contains(name, "1.6") {
			continue
		}
		t.Run(name+" after a list", func(t *testing.T) {
			t.Parallel()
			answer := answers(http.StatusOK, "", `[{"id": "/p"}]`)
			c := podClient(t, podMaster(t, func() wire { return answer }))
			if _, err := c.Apps(t.Context()); err != nil {
				t.Fatal(err)
			}
			answer = tt.answer
			if got, err := c.Apps(t.Context()); err == nil {
				t.Errorf("read %v", appIDs(got.Apps))
			}
		})
	}
}

// TestOldInstancesListenWhereTheirVersionSays: on container ports the version matters. It
// is remembered, and asked for if it was never seen.
func TestOldInstancesListenWhereTheirVersionSays(t *testing.T) {
	t.Parallel()
	const spec = `{"version": "%[1]d", "labels": {"HAPROXY_GROUP": "external"}, "networks": [{"mode": "container"}],
		"containers": [{"endpoints": [{"name": "http", "containerPort": 8%[1]d}]}]}`
	status := func(version int, instances ...int) string {
		var list []string
		for _, v := range instances {
			list = append(list, fmt.Sprintf(`{"id": "p.instance-%[1]d", "status": "STABLE", "agentHostname": "10.0.0.1", "specReference": "/v2/pods/p::versions/%[1]d",
				"networks": [{"addresses": ["9.0.0.%[1]d"]}], "containers": [{"containerId": "c%[1]d", "endpoints": [{"name": "http"}]}]}`, v))
		}
		return fmt.Sprintf(`{"id": "/p", "spec": %s, "instances": [%s]}`, fmt.Sprintf(spec, version), strings.Join(list, ","))
	}
	var now string
	broken := false
	m := newMaster(t, func(conn *net.TCPConn, req *http.Request) {
		text := `{"apps": []}`
		version, isVersion := strings.CutPrefix(req.URL.Path, "/v2/pods/p::versions/")
		switch {
		case req.URL.Path == "/v2/pods::status":
			text = "[" + now + "]"
		case req.URL.Path == "/v2/pods/p::status":
			text = now
		case isVersion && broken:
			text = ""
		case isVersion:
			n, _ := strconv.Atoi(version)
			text = fmt.Sprintf(spec, n)
		}
		answers(http.StatusOK, "", text)(conn, req)
	})
	c := podClient(t, m)
	routed := func(a marathon.Answer, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return routes(derivePods(t, external(), a.Apps))
	}
	wants := func(got []string, want string) {
		t.Helper()
		if diff := cmp.Diff([]string{"/p#0:0 -> " + want}, got); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
	}
	now = status(2, 1, 2)
	wants(routed(c.Apps(t.Context())), "9.0.0.1:81 9.0.0.2:82")
	now = status(3, 1, 2)
	wants(routed(c.App(t.Context(), "/p", 0)), "9.0.0.1:81 9.0.0.2:82")
	wants(routed(c.Apps(t.Context())), "9.0.0.1:81 9.0.0.2:82")
	if n, n2 := m.count("/v2/pods/p::versions/1"), m.count("/v2/pods/p::versions/2"); n != 1 || n2 != 0 {
		t.Errorf("asked %d and %d times for versions, want once for the one that was never seen", n, n2)
	}
	now, broken = status(5, 4, 5), true
	first, err := c.App(t.Context(), "/p", 0)
	wants(routed(first, err), "9.0.0.4:85 9.0.0.5:85") // all that is known
	broken = false
	wants(routed(c.App(t.Context(), "/p", first.Digest)), "9.0.0.4:84 9.0.0.5:85")
}

// TestPodsAreReadSingly: what moves with each reading is no news, all else is; a pod
// that is gone is not found, and an app is asked for as an app.
func TestPodsAreReadSingly(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile(filepath.Join("testdata", "pods", "v1.9-single-pod-status.json"))
	if err != nil {
		t.Fatal(err)
	}
	single := string(sample)
	answer := answers(http.StatusOK, "", `[`+single+`]`)
	m := podMaster(t, func() wire { return answer })
	c := podClient(t, m)
	if _, err = c.Apps(t.Context()); err != nil {
		t.Fatal(err)
	}
	const id = "/pods/overlay"
	if got, listErr := c.App(t.Context(), id, 0); listErr == nil {
		t.Errorf("a list is read as %+v", got)
	}
	answer = answers(http.StatusOK, "", single)
	first, err := c.App(t.Context(), id, 0)
	if err != nil || len(first.Apps) != 1 || len(first.Apps[0].Tasks) == 0 {
		t.Fatalf("read %+v, %v", first, err)
	}
	if n := m.count("/v2/pods/pods/overlay::status"); n != 2 {
		t.Errorf("%d questions for the pod, want 2", n)
	}
	answer = answers(http.StatusOK, "", strings.ReplaceAll(single, `"`+id+`"`, `"/pods/other"`))
	if got, otherErr := c.App(t.Context(), id, 0); otherErr == nil {
		t.Errorf("another pod is read as %+v", got)
	}
	ask := func(old, changed string) int {
		t.Helper()
		text := strings.ReplaceAll(single, old, changed)
		if text == single {
			t.Fatalf("the sample has no %s", old)
		}
		answer = answers(http.StatusOK, "", text)
		got, askErr := c.App(t.Context(), id, first.Digest)
		if askErr != nil {
			t.Fatal(askErr)
		}
		return len(got.Apps)
	}
	if ask(`"lastUpdated": "2019`, `"lastUpdated": "2020`) != 0 {
		t.Error("the time of the reading is news")
	}
	for old, changed := range map[string]string{
		`"healthy": true`: `"healthy": false`, `"allocatedHostPort": 31900`: `"allocatedHostPort": 31999`,
		`"status": "STABLE"`: `"status": "DEGRADED"`, `"agent-1.example.com"`: `"agent-2.example.com"`,
		`"HAPROXY_0_VHOST"`: `"HAPROXY_1_VHOST"`, `"path": "/healthz"`: `"path": "/"`,
	} {
		if ask(old, changed) != 1 {
			t.Errorf("%s instead of %s is no news", changed, old)
		}
	}
	answer = answers(http.StatusNotFound, "Content-Type: application/json\r\n", `{"message": "gone"}`)
	if _, err = c.App(t.Context(), id, 0); !errors.Is(err, marathon.ErrNotFound) {
		t.Errorf("a pod that is gone: %v", err)
	}
	if _, err = c.App(t.Context(), "/a", 0); !errors.Is(err, marathon.ErrNotFound) || m.count("/v2/apps//a")+m.count("/v2/apps/a") != 1 {
		t.Errorf("an app is not asked for as one: %v", err)
	}
}
