package marathon

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// askedIn returns the addresses in the order in which they would be asked.
func askedIn(m *Masters) (addresses []string) {
	for _, one := range m.order() {
		addresses = append(addresses, one.String())
	}
	return addresses
}

func TestAMasterThatHungIsAskedLastForAMinute(t *testing.T) {
	t.Parallel()
	const a, b, c = "http://a:1", "http://b:1", "http://c:1"
	for _, tt := range []struct {
		name string
		why  error
		then func(m *Masters)
		want []string // after that, and after a minute
		late []string
	}{
		{"although the others name it as leader", errNoAnswer, nil, []string{b, c, a}, []string{a, b, c}},
		{"also when only its answer stalled", fmt.Errorf("x: %w", errStalledAnswer), nil, []string{b, c, a}, []string{a, b, c}},
		{"also when its stream fell silent", errStreamSilent, nil, []string{b, c, a}, []string{a, b, c}},
		{"also when it buffers events", errNoEvent, nil, []string{b, c, a}, []string{a, b, c}},
		{"also when connecting took too long", &bodyError{os.ErrDeadlineExceeded}, nil, []string{b, c, a}, []string{a, b, c}},
		{"but not if it failed at once", errors.New("refused"), nil, []string{a, b, c}, []string{a, b, c}},
		{"but not if its stream ended", errStreamEnded, nil, []string{a, b, c}, []string{a, b, c}},
		{"but not if it has answered since", errNoAnswer, func(m *Masters) { m.answered(m.list[0]) }, []string{a, b, c}, []string{a, b, c}},
		{
			"and so are all if all did", errNoAnswer,
			func(m *Masters) { m.failed(m.list[1], errNoAnswer); m.failed(m.list[2], errNoAnswer); m.lead("a:1") },
			[]string{a, b, c},
			[]string{a, b, c},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, err := NewMasters([]string{a, b, c})
				if err != nil {
					t.Fatal(err)
				}
				m.lead("a:1")
				m.failed(m.list[0], tt.why)
				m.answered(m.list[1])
				m.lead("a:1")
				if tt.then != nil {
					tt.then(m)
				}
				if diff := cmp.Diff(tt.want, askedIn(m)); diff != "" {
					t.Errorf("order (-want +got):\n%s", diff)
				}
				<-time.After(avoidance)
				if diff := cmp.Diff(tt.late, askedIn(m)); diff != "" {
					t.Errorf("order after a minute (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTheLeaderIsFoundAmongTheMasters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, leader string
		masters      []string
		want         int // the master in front
	}{
		{"by host and port", "b:8080", []string{"http://a:8080", "http://b:8080"}, 1},
		{"in any case", "B.mesos:8080", []string{"http://a:8080", "http://b.mesos:8080"}, 1},
		{"by the host, where it is configured with another port", "b:8080", []string{"https://a:8443", "https://b:8443"}, 1},
		{"by the port, if there are several at its host", "h:3", []string{"http://h:1", "http://h:2", "http://h:3"}, 2},
		{"not by the host, if there are several at it", "h:8080", []string{"https://a:8443", "https://h:1", "https://h:2", "https://h:3"}, 0},
		{"not at a host that is not configured", "c:8080", []string{"http://a:8080", "http://b:8080"}, 0},
		{"without a port, too", "b", []string{"http://a:8080", "http://b:8080"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := NewMasters(tt.masters)
			if err != nil {
				t.Fatal(err)
			}
			s := sender{masters: m}
			s.learn("http://" + tt.leader)
			if got := askedIn(m)[0]; got != tt.masters[tt.want] {
				t.Errorf("first is %s, want %s", got, tt.masters[tt.want])
			}
			if m.failed(m.list[tt.want], errStreamEnded); tt.want > 0 && m.leaderKnown() {
				t.Error("it leads although it failed")
			}
		})
	}
}

// The host alone is enough to ask first, not to be trusted.
func TestAnotherPortOfTheLeadersHostIsNotTheLeader(t *testing.T) {
	t.Parallel()
	m, err := NewMasters([]string{"https://a:8443", "https://b:8443"})
	if err != nil {
		t.Fatal(err)
	}
	m.lead("b:8080")
	stranger := master{}
	if stranger.base.Scheme, stranger.base.Host = "https", "b:9999"; m.isLeader(&stranger.base) {
		t.Error("another port is trusted")
	}
	if !slices.Equal(askedIn(m), []string{"https://b:8443", "https://a:8443"}) {
		t.Errorf("order %v", askedIn(m))
	}
}
