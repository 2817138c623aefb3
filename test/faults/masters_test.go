package faults_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"mlb/test/marathonsim"
)

// masters are faults of some of several masters, and changes of the leader.
func masters() []row {
	three := marathonsim.Options{Masters: 3}
	rows := []row{
		{
			name: "the leader is lost for long", begin: stopLeader, noticed: failing,
			options: marathonsim.Options{Masters: 2, ElectionDelay: 3 * time.Second, LeaderWait: 50 * time.Millisecond},
		},
		{
			name: "all masters are gone", begin: stopAll, noticed: failing, life: crash, visits: []string{"/web", "/db"},
			options: marathonsim.Options{Masters: 2},
		},
		{name: "the leader changes", begin: changeLeader(1), options: three, noticed: always, meanwhile: true},
		{name: "the leader changes several times", begin: changeLeader(4), options: three, noticed: always, meanwhile: true},
		{name: "the only master starts again", begin: changeLeader(1), noticed: always, meanwhile: true},
		{
			name: "a new leader has no event bus at first", begin: changeLeader(1), noticed: always, meanwhile: true,
			options: marathonsim.Options{Masters: 2, StreamDelay: 500 * time.Millisecond},
		},
		{
			name: "a new leader has no health results at first", begin: changeLeader(1), noticed: always, meanwhile: true,
			options: marathonsim.Options{Masters: 2, HealthInterval: time.Second},
		},
		{
			name: "standbys pass the stream on, and the leader changes", begin: changeLeader(1), noticed: always, meanwhile: true, knows: 1,
			options: marathonsim.Options{Masters: 3, Generation: marathonsim.V1_4},
		},
		{
			name: "a standby leads to the leader, who wants the password, too", begin: dropStreams, noticed: always, meanwhile: true, knows: 1,
			options: marathonsim.Options{Masters: 2, Username: "bob", Password: "hu:sh"},
		},
		{name: "the leader changes between an event and its reading", begin: changeAtEvent, noticed: spoilt, options: three, meanwhile: true},
		{name: "two masters lead, one of which lives in the past", begin: twoLeaders, options: marathonsim.Options{Masters: 2}, resync: soon},
		{name: "only a standby answers, and it lives in the past", begin: staleStandby, options: marathonsim.Options{Masters: 2}},
		{
			name: "the leader is named in nonsense", options: three, meanwhile: true,
			begin: answering(nil, func(x *exchange) {
				if events(x.request.URL.Path) {
					pass(x)
					return
				}
				spoils(func(x *exchange, a answer) {
					a.header.Set("X-Marathon-Leader", "http://%zz:-1/")
					x.say(a)
				})(x)
			}),
		},
	}
	for name, f := range map[string]fault{
		"refuses connections":   {refuse: true},
		"does not answer":       {cut: true, answer: hang},
		"resets connections":    {cut: true, answer: reset},
		"answers with errors":   {cut: true, answer: says(http.StatusBadGateway, "text/html", page)},
		"answers with pages":    {cut: true, answer: says(http.StatusOK, "text/html", page)},
		"answers with nothing":  {cut: true, answer: says(http.StatusOK, "application/json", "")},
		"cuts its answers":      {cut: true, about: apps, answer: spoils(func(x *exchange, a answer) { x.write(a.head(len(a.body)) + half(a.body)); reset(x) })},
		"keeps its stream dead": {cut: true, about: events, answer: hang},
	} {
		for i, who := range []string{"the leader", "a standby"} {
			rows = append(rows, row{
				name: who + " " + name, options: three, meanwhile: true, noticed: always,
				begin: func(t *testing.T, g *rig) func() {
					t.Helper()
					g.gates[i].set(t, f)
					return func() { g.gates[i].set(t, fault{}) }
				},
			})
		}
	}
	return rows
}

// stopLeader ends the leader's process until the fault ends; another one is elected
// after a while.
func stopLeader(t *testing.T, g *rig) func() {
	t.Helper()
	leader := g.cluster.Leader()
	must(t, g.cluster.StopMaster(leader))
	return func() { must(t, g.cluster.StartMaster(t.Context(), leader)) }
}

// stopAll ends the processes of all masters until the fault ends.
func stopAll(t *testing.T, g *rig) func() {
	t.Helper()
	for i := range g.gates {
		must(t, g.cluster.StopMaster(i))
	}
	return func() {
		for i := range g.gates {
			must(t, g.cluster.StartMaster(t.Context(), i))
		}
	}
}

// crash is what happens while nobody leads: a task dies, which is replaced when somebody
// hears of it.
func crash(t *testing.T, g *rig) map[string]int {
	t.Helper()
	must(t, g.cluster.CrashTask(g.cluster.Tasks("/api")[0].ID))
	return firstTasks()
}

// changeLeader makes the leader give up so many times.
func changeLeader(times int) func(t *testing.T, g *rig) func() {
	return func(t *testing.T, g *rig) func() {
		t.Helper()
		for range times {
			led(t, g)
			must(t, g.cluster.ChangeLeader())
		}
		led(t, g)
		return func() {}
	}
}

// led waits for a leader.
func led(t *testing.T, g *rig) {
	t.Helper()
	eventually(t, "there is a leader", func() error {
		if g.cluster.Leader() < 0 {
			return errors.New("there is none")
		}
		return nil
	})
}

// dropStreams ends all streams.
func dropStreams(_ *testing.T, g *rig) func() {
	g.cluster.DropStreams()
	return func() {}
}

// changeAtEvent changes the leader when the first event is on its way to mlb.
func changeAtEvent(t *testing.T, g *rig) func() {
	t.Helper()
	end := framing(exceptHeartbeats(once(func() { _ = g.cluster.ChangeLeader() })))(t, g)
	return func() {
		led(t, g)
		end()
	}
}

// twoLeaders makes the second master answer with what was, as a leader that is cut off.
func twoLeaders(t *testing.T, g *rig) func() {
	t.Helper()
	past, cut := memory(g), g.gates[1]
	leads := remembers(past)
	cut.set(t, fault{cut: true, about: apps, answer: func(x *exchange) { leads(x) }})
	g.gates[0].set(t, fault{cut: true, about: apps, answer: alternating(says(http.StatusBadGateway, "text/html", page))})
	return func() {
		for _, gate := range g.gates {
			gate.set(t, fault{})
		}
	}
}

// staleStandby leaves mlb a standby that answers with what was.
func staleStandby(t *testing.T, g *rig) func() {
	t.Helper()
	g.gates[1].set(t, fault{cut: true, about: apps, answer: remembers(memory(g))})
	g.gates[0].set(t, fault{refuse: true})
	return func() {
		for _, gate := range g.gates {
			gate.set(t, fault{})
		}
	}
}
