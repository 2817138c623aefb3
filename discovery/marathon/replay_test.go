package marathon_test

import (
	"encoding/json"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/discovery/marathon"
)

// recorded is a stream as it was on the wire, cut into connections, and the types of
// the events of each.
func recorded(t *testing.T, generation string) (connections [][]byte, types [][]string) {
	t.Helper()
	base := filepath.Join("testdata", "events", "lifecycle-v"+generation)
	stream, err := os.ReadFile(base + ".sse")
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(base + ".index.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Entries []struct {
			Offset, Length, Connection int
			Event                      string
		}
	}
	if err = json.Unmarshal(index, &document); err != nil {
		t.Fatal(err)
	}
	for _, e := range document.Entries {
		for len(connections) < e.Connection {
			connections, types = append(connections, nil), append(types, nil)
		}
		if e.Length == 0 {
			continue
		}
		i := e.Connection - 1
		connections[i] = append(connections[i], stream[e.Offset:e.Offset+e.Length]...)
		if e.Event != "" {
			types[i] = append(types[i], e.Event)
		}
	}
	return connections, types
}

// scattered writes bytes in pieces of random size.
func scattered(seed uint64, content []byte) wire {
	return func(conn *net.TCPConn, _ *http.Request) {
		random := rand.New(rand.NewPCG(seed, 0))
		for len(content) > 0 {
			n := min(len(content), 1+random.IntN(200))
			if _, err := conn.Write(content[:n]); err != nil {
				return
			}
			content = content[n:]
		}
	}
}

// TestRecordedStreamsAreFollowed replays what Marathon of four generations sent over
// two connections with a leader change in between.
func TestRecordedStreamsAreFollowed(t *testing.T) {
	t.Parallel()
	relevant := []string{
		"api_post_event", "health_status_changed_event", "status_update_event", "group_change_success", "app_terminated_event",
		"deployment_info", "deployment_success", "deployment_failed", "instance_changed_event", "instance_health_changed_event",
	}
	for _, generation := range []string{"0.11", "1.3", "1.4", "1.9"} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			connections, types := recorded(t, generation)
			if len(connections) != 2 {
				t.Fatalf("%d connections in the recording, want 2", len(connections))
			}
			var want []string
			for _, list := range types {
				want = append(want, "reconnect")
				for _, kind := range list {
					if slices.Contains(relevant, kind) {
						want = append(want, kind)
					}
				}
			}
			m := newMaster(t, turns(
				then(says(streamHead), scattered(1, connections[0])),
				then(says(streamHead), scattered(2, connections[1]), hangs),
			))
			f := follow(t, marathon.StreamConfig{}, quick(), m.url)
			eventually(t, "all hints", func() bool { return len(f.hints) >= len(want) })
			var got []string
			for range len(f.hints) {
				h := <-f.hints
				got = append(got, h.Type)
				if h.All != (h.Type == "reconnect" || h.Type == "group_change_success") {
					t.Errorf("hint %+v", h)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("hints (-want +got):\n%s", diff)
			}
			if n := metric(t, f.registry, "mlb_events_unreadable_total", ""); n != 0 {
				t.Errorf("%v unreadable events", n)
			}
		})
	}
}
