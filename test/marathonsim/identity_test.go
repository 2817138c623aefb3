package marathonsim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

func TestTokensAreAskedForExpireAndAreRevoked(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Tokens: true, Masters: 2})
	good, late := c.IssueToken(marathonsim.Identity{}, 0), c.IssueToken(marathonsim.Identity{}, time.Nanosecond)
	for _, url := range c.Masters() {
		for header, want := range map[string]int{"": 401, "token=wrong": 401, "token=" + late: 401, good: 401, "token=" + good: 200} {
			if r, _ := get(t, url+"/v2/apps", "Authorization", header); r.StatusCode != want {
				t.Errorf("%q: %s", header, r.Status)
			}
		}
		if r, _ := get(t, url+"/v2/events", "Accept", "text/event-stream"); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("events: %s", r.Status)
		}
		if r, _ := get(t, url+"/ping"); r.StatusCode != http.StatusOK {
			t.Errorf("ping: %s", r.Status)
		}
	}
	conn, r := dial(t, c.Masters()[0], strings.Replace(subscribe, "\n\n", "\nAuthorization: token="+good+"\n\n", 1))
	readHead(t, r)
	readFrame(t, r)
	c.RevokeTokens()
	if r, _ := get(t, c.Masters()[0]+"/v2/apps", "Authorization", "token="+good); r.StatusCode != http.StatusUnauthorized {
		t.Error(r.Status)
	}
	simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","instances":0}`)
	if frame := readFrame(t, r); !strings.HasPrefix(frame, "event: deployment_info") {
		t.Errorf("the open stream said %q", frame)
	}
	_ = conn.Close()
}

// Marathon facts 1: a 200 with fewer apps.
func TestHiddenAppsAreLeftOutWithoutAWord(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Tokens: true, LaunchDelay: time.Hour})
	simtest.Deploy(t, c, `{"id":"/g","apps":[{"id":"open","cmd":"serve"},{"id":"hidden","cmd":"serve"},{"id":"last","cmd":"serve"}]}`)
	simtest.Deploy(t, c, `{"id":"/hidden","cmd":"serve"}`)
	for _, pod := range []string{"/pods/open", "/pods/hidden"} {
		document := `{"id":"` + pod + `","containers":[{"name":"one","resources":{"cpus":0.1,"mem":32}}]}`
		if err := c.DeployPod(document); err != nil {
			t.Fatal(err)
		}
	}
	header := []string{"Accept", "application/json", "Authorization", "token=" + c.IssueToken(marathonsim.Identity{
		Sees: func(app string) bool { return !strings.HasSuffix(app, "hidden") }, NoEvents: true,
	}, 0)}
	simtest.Wait(t, c, "all tasks placed", func() bool { return len(c.Tasks("/g/open"))+len(c.Tasks("/hidden")) == 2 })
	for _, path := range []string{"/v2/apps", "/v2/apps/g/*", "/v2/groups", "/v2/groups/g", "/v2/tasks"} {
		r, body := get(t, c.Masters()[0]+path, header...)
		shapeOf(t, body)
		if r.StatusCode != http.StatusOK || strings.Contains(body, "hidden") || !strings.Contains(body, "/g/open") {
			t.Errorf("%s: %s %s", path, r.Status, body)
		}
	}
	for _, path := range []string{"/v2/pods", "/v2/pods::status", "/v2/groups/pods"} {
		r, body := get(t, c.Masters()[0]+path, header...)
		if r.StatusCode != http.StatusOK || strings.Contains(body, "hidden") || !strings.Contains(body, "/pods/open") {
			t.Errorf("%s: %s %s", path, r.Status, body)
		}
	}
	if _, body := get(t, c.Masters()[0]+"/v2/deployments", header...); strings.Count(body, "totalSteps") != 2 {
		t.Errorf("deployments: %s", body)
	}
	for path, want := range map[string]int{"/v2/apps/g/open": 200, "/v2/apps/hidden": 403, "/v2/apps/hidden/tasks": 403, "/v2/pods/pods/hidden": 403} {
		if r, body := get(t, c.Masters()[0]+path, header...); r.StatusCode != want {
			t.Errorf("%s: %s %s", path, r.Status, body)
		}
	}
	if r, _ := get(t, c.Masters()[0]+"/v2/events", append(header[2:], "Accept", "text/event-stream")...); r.StatusCode != http.StatusForbidden {
		t.Errorf("events: %s", r.Status)
	}
}
