package marathonsim_test

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// faulty follows a cluster whose stream has a fault, and says what its observer
// has seen.
type faulty struct {
	*follower
	cluster *marathonsim.Cluster

	mu   sync.Mutex
	seen []string
}

func startFaulty(t *testing.T, kind marathonsim.FaultKind) *faulty {
	t.Helper()
	f := &faulty{}
	f.cluster = simtest.Start(t, marathonsim.Options{Unserved: true, Observer: func(_ string, document []byte) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.seen = append(f.seen, string(document))
	}})
	f.follower = follow(t, f.cluster, "?plan-format=light")
	f.awaitKind(t, "event_stream_attached", 1)
	f.cluster.SetFault(marathonsim.AllMasters, marathonsim.Fault{Kind: kind})
	simtest.Deploy(t, f.cluster, `{"id":"/cart","cmd":"serve","instances":2}`)
	simtest.Running(t, f.cluster, "/cart", 2)
	return f
}

func (f *faulty) published() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func TestMergedStreamSaysTheSame(t *testing.T) {
	t.Parallel()
	f := startFaulty(t, marathonsim.FaultMergeStream)
	f.awaitKind(t, "deployment_success", 1)
	_, got := f.events()
	if diff := cmp.Diff(f.published(), got); diff != "" {
		t.Errorf("(-published +got)\n%s", diff)
	}
}

func TestDuplicatedEventsComeTwice(t *testing.T) {
	t.Parallel()
	f := startFaulty(t, marathonsim.FaultDuplicateStream)
	f.awaitKind(t, "deployment_success", 2)
	_, got := f.events()
	var want []string
	for i, event := range f.published() {
		if want = append(want, event); i > 0 { // the first came before the fault
			want = append(want, event)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Each type of event keeps its order; between types there is none.
func TestReorderedEventsAreAllThere(t *testing.T) {
	t.Parallel()
	f := startFaulty(t, marathonsim.FaultReorderStream)
	want := f.published() // the app runs, nothing more will come
	f.await(t, "all events", func(kinds []string) bool { return len(kinds) == len(want) })
	_, got := f.events()
	if slices.Equal(want, got) {
		t.Error("nothing was reordered")
	}
	of := func(kind string, events []string) []string {
		return slices.DeleteFunc(slices.Clone(events), func(e string) bool { return !strings.Contains(e, `"eventType":"`+kind+`"`) })
	}
	for _, kind := range []string{"status_update_event", "instance_changed_event", "deployment_info", "deployment_success"} {
		if diff := cmp.Diff(of(kind, want), of(kind, got)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", kind, diff)
		}
	}
}

func TestStalledStreamGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	f := startFaulty(t, marathonsim.FaultStallStream)
	if kinds, _ := f.events(); len(kinds) != 1 {
		t.Errorf("a stalled stream said %q", kinds)
	}
	f.cluster.SetFault(marathonsim.AllMasters, marathonsim.Fault{})
	f.awaitKind(t, "deployment_success", 1)
	_, got := f.events()
	if diff := cmp.Diff(f.published(), got); diff != "" {
		t.Errorf("(-published +got)\n%s", diff)
	}
}

// The client sees the end; the connection and the subscription stay until it goes.
func TestHalfClosedStream(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	conn, r := dial(t, c.Masters()[0], subscribe)
	readHead(t, r)
	readFrame(t, r)
	c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultHalfCloseStream})
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if n := c.Streams(); n != 1 {
		t.Errorf("%d streams", n)
	}
	_ = conn.Close()
	simtest.Wait(t, c, "the end of the stream", func() bool { return c.Streams() == 0 })
}

// Everything is said as without the fault, and more.
func TestStrangeAnswersAndEvents(t *testing.T) {
	t.Parallel()
	f := startFaulty(t, marathonsim.FaultStrange)
	f.awaitKind(t, "deployment_success", 1)
	kinds, data := f.events()
	if !slices.Contains(kinds, "unheard_of_event") {
		t.Errorf("no event of an unknown type: %q", kinds)
	}
	for i, event := range data[1:] {
		if kinds[i+1] != "unheard_of_event" && (!json.Valid([]byte(event)) || !strings.Contains(event, `"unheardOf"`)) {
			t.Errorf("%s", event)
		}
	}
	_, body := get(t, f.cluster.Masters()[0]+"/v2/apps?embed=apps.tasks")
	if n := strings.Count(body, `"unheardOf"`); n != 4 || !json.Valid([]byte(body)) { // the list, the app, two tasks
		t.Errorf("%d unknown members: %s", n, body)
	}
}

func TestAnswerIsCutInItsHead(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultTruncateHead})
	if r, body, err := try(t.Context(), "GET", c.Masters()[0]+"/v2/apps", ""); err == nil {
		t.Error(r, body)
	}
}

// Marathon facts 8.20: the answer is cut short, the next one comes from another
// leader and knows nothing of health.
func TestLeaderChangeCutsAnAnswerShort(t *testing.T) {
	t.Parallel()
	for _, generation := range []marathonsim.Generation{marathonsim.V1_1, marathonsim.V1_9} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation, Masters: 2, HealthInterval: 10 * time.Millisecond})
			simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","healthChecks":[{"protocol":"TCP"}]}`)
			simtest.Running(t, c, "/a", 1)
			c.SetFault(0, marathonsim.Fault{Kind: marathonsim.FaultLeaderChange, Path: "/v2/apps", Count: 1})
			r, body, err := try(t.Context(), "GET", c.Masters()[0]+"/v2/apps?embed=apps.tasks", "")
			if err == nil || r == nil || json.Valid([]byte(body)) {
				t.Error(r, body, err)
			}
			if task := c.Tasks("/a")[0]; c.Leader() < 0 && task.Healthy != nil {
				t.Error("the results were not forgotten")
			}
			simtest.Wait(t, c, "another leader", func() bool { return c.Leader() == 1 })
			simtest.Running(t, c, "/a", 1)
		})
	}
}
