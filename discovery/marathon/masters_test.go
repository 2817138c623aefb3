package marathon_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

func TestMasterAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		in, want []string
	}{
		{"keep their order", []string{"http://b:1", "http://a:1"}, []string{"http://b:1", "http://a:1"}},
		{"are used once each", []string{"http://a:1", "http://b:1", "http://a:1/"}, []string{"http://a:1", "http://b:1"}},
		{"lose slash, query, fragment and user", []string{"https://u:p@a:1/x/?q#f"}, []string{"https://a:1/x"}},
		{"keep a path prefix", []string{"http://a/service/marathon"}, []string{"http://a/service/marathon"}},
		{"may be IPv6 literals", []string{"http://[::1]:8080"}, []string{"http://[::1]:8080"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, newMasters(t, tt.in...).Addresses()); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongMasterAddressesAreAllNamedWithoutSecrets(t *testing.T) {
	t.Parallel()
	_, err := marathon.NewMasters([]string{
		"http://good:1", "ftp://a", "http://", "bare:8080", "", "http://u:hu/sh@b:c", "http://u:hush@c:port",
	})
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	for _, want := range []string{"address 2", "address 3", "address 4", "address 5", "address 6", "address 7", "ftp://a", "bare:8080"} {
		if !strings.Contains(text, want) {
			t.Errorf("error %q lacks %q", text, want)
		}
	}
	if strings.Contains(text, "address 1") || strings.Contains(text, "hu") {
		t.Errorf("error %q names a good address or a secret", text)
	}
	if _, err = marathon.NewMasters(nil); err == nil {
		t.Error("no addresses are no error")
	}
}

// asked returns which of the masters answered how many fetches.
func asked(ms ...*rawMaster) []int {
	var counts []int
	for _, m := range ms {
		counts = append(counts, m.count("/v2/apps"))
	}
	return counts
}

func TestTheMasterThatAnsweredIsAskedFirst(t *testing.T) {
	t.Parallel()
	sick := answers(http.StatusServiceUnavailable, "", "")
	a := newMaster(t, turns(sick, list("/a")))
	b := newMaster(t, turns(list("/b"), sick, list("/b")))
	c := newMaster(t, list("/c"))
	client := newClient(t, quick(), a.url, b.url, c.url)
	// a fails and b answers; b fails and c, the next in the circle, answers.
	for i, want := range []string{b.url, c.url, c.url} {
		got, err := client.Apps(t.Context())
		if err != nil || got.Master != want {
			t.Errorf("fetch %d: master %s, error %v; want %s", i, got.Master, err, want)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 2}, asked(a, b, c)); diff != "" {
		t.Errorf("fetches (-want +got):\n%s", diff)
	}
}

func TestTheLeaderIsAskedFirstIfItIsConfigured(t *testing.T) {
	t.Parallel()
	leader := newMaster(t, turns(list("/a"), answers(http.StatusServiceUnavailable, "", "")))
	naming := answers(http.StatusOK, jsonType+"X-Marathon-Leader: "+leader.url+"\r\n", twoApps)
	plain := answers(http.StatusOK, jsonType+"X-Marathon-Leader: http://elsewhere.example:8080\r\n", twoApps)
	standby := newMaster(t, turns(naming, plain))
	client := newClient(t, quick(), standby.url, leader.url)
	// The standby names the leader; the leader fails, so it leads no longer.
	for i, want := range []string{standby.url, leader.url, standby.url, standby.url} {
		got, err := client.Apps(t.Context())
		if err != nil || got.Master != want {
			t.Errorf("fetch %d: master %s, error %v; want %s", i, got.Master, err, want)
		}
	}
}

// hungLeader is a leader that accepts and never answers, and a standby that names it with
// every answer.
func hungLeader(t *testing.T, events wire) (leader, standby *rawMaster) {
	t.Helper()
	leader = newMaster(t, hangs)
	header := jsonType + "X-Marathon-Leader: " + leader.url + "\r\n"
	standby = newMaster(t, paths(map[string]wire{
		"/v2/apps":   answers(http.StatusOK, header, twoApps),
		"/v2/leader": answers(http.StatusOK, header, `{"leader":"`+strings.TrimPrefix(leader.url, "http://")+`"}`),
		"/v2/events": events,
	}))
	return leader, standby
}

func TestALeaderThatHangsCostsOneDeadlineAndNotOneForEachFetch(t *testing.T) {
	t.Parallel()
	leader, standby := hungLeader(t, hangs)
	client := newClient(t, quick(), standby.url, leader.url)
	for i := range 4 {
		if got, err := client.Apps(t.Context()); err != nil || got.Master != standby.url {
			t.Errorf("fetch %d: master %s, error %v; want %s", i, got.Master, err, standby.url)
		}
	}
	if n := leader.count("/v2/apps"); n != 1 {
		t.Errorf("the leader was asked %d times, want once", n)
	}
}

func TestTheStreamPassesOverALeaderThatHangs(t *testing.T) {
	t.Parallel()
	leader, standby := hungLeader(t, turns(says(streamHead+attached()), then(says(streamHead+attached()), hangs)))
	f := follow(t, marathon.StreamConfig{ConnectTimeout: 500 * time.Millisecond}, quick(), leader.url, standby.url)
	f.want(t, reconnected(), reconnected())
	if n := leader.count("/v2/events"); n != 1 {
		t.Errorf("the leader was asked %d times, want once", n)
	}
}

func TestAMasterThatHangsLeavesTimeToFindTheLeader(t *testing.T) {
	t.Parallel()
	hung, leader := newMaster(t, hangs), newMaster(t, then(says(streamHead+attached()), hangs))
	standby := newMaster(t, paths(map[string]wire{
		"/v2/leader": answers(http.StatusOK, jsonType, `{"leader":"`+strings.TrimPrefix(leader.url, "http://")+`"}`),
	}))
	f := follow(t, marathon.StreamConfig{}, quick(), hung.url, standby.url, leader.url)
	f.want(t, reconnected())
	if got := f.stream.Status().Master; got != leader.url || hung.count("/v2/events")+standby.count("/v2/events") > 0 {
		t.Errorf("master %s after others, want the leader %s at once", got, leader.url)
	}
}
