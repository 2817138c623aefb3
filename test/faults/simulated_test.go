package faults_test

import (
	"fmt"
	"testing"
	"time"

	"mlb/test/marathonsim"
)

// simulated are the faults that the simulator has. Those of streams are tried with
// generations whose standbys pass streams on and with others, and all generations with
// a leader that changes.
func simulated() []row {
	both := []marathonsim.Generation{marathonsim.V1_4, marathonsim.V1_9}
	var rows []row
	for name, s := range map[string]struct {
		fault   marathonsim.Fault
		noticed func(g *rig) bool
		resync  time.Duration
		streams bool
	}{
		"answer late":          {fault: marathonsim.Fault{Kind: marathonsim.FaultDelay, Delay: 150 * time.Millisecond}, noticed: always},
		"answer too late":      {fault: marathonsim.Fault{Kind: marathonsim.FaultDelay, Delay: 2 * time.Second}, noticed: failing},
		"hang":                 {fault: marathonsim.Fault{Kind: marathonsim.FaultHang}, noticed: failing},
		"reset connections":    {fault: marathonsim.Fault{Kind: marathonsim.FaultReset}, noticed: failing},
		"cut heads":            {fault: marathonsim.Fault{Kind: marathonsim.FaultTruncateHead}, noticed: failing},
		"cut heads at once":    {fault: marathonsim.Fault{Kind: marathonsim.FaultTruncateHead, Bytes: 1}, noticed: failing},
		"cut answers":          {fault: marathonsim.Fault{Kind: marathonsim.FaultTruncate}, noticed: failing},
		"cut answers at once":  {fault: marathonsim.Fault{Kind: marathonsim.FaultTruncate, Bytes: 1}, noticed: failing},
		"answer with nothing":  {fault: marathonsim.Fault{Kind: marathonsim.FaultEmpty, Path: "/v2/apps"}, noticed: failing},
		"answer with an error": {fault: marathonsim.Fault{Kind: marathonsim.FaultStatus}, noticed: failing},
		"give up leadership within an answer": {
			fault: marathonsim.Fault{Kind: marathonsim.FaultLeaderChange, Path: "/v2/apps", Count: 1}, noticed: always,
		},
		"say much that is new":     {fault: marathonsim.Fault{Kind: marathonsim.FaultStrange}, noticed: always, streams: true},
		"have silent streams":      {fault: marathonsim.Fault{Kind: marathonsim.FaultSilentStream}, noticed: deaf, streams: true},
		"have mute streams":        {fault: marathonsim.Fault{Kind: marathonsim.FaultMuteStream}, noticed: always, resync: soon, streams: true},
		"split streams":            {fault: marathonsim.Fault{Kind: marathonsim.FaultSplitStream}, noticed: always, streams: true},
		"merge events":             {fault: marathonsim.Fault{Kind: marathonsim.FaultMergeStream}, noticed: always, streams: true},
		"stall streams":            {fault: marathonsim.Fault{Kind: marathonsim.FaultStallStream}, noticed: deaf, streams: true},
		"half close streams":       {fault: marathonsim.Fault{Kind: marathonsim.FaultHalfCloseStream}, noticed: deaf, streams: true},
		"send each event twice":    {fault: marathonsim.Fault{Kind: marathonsim.FaultDuplicateStream}, noticed: always, streams: true},
		"send events out of order": {fault: marathonsim.Fault{Kind: marathonsim.FaultReorderStream}, noticed: always, streams: true},
		"close streams":            {fault: marathonsim.Fault{Kind: marathonsim.FaultCloseStream}, noticed: deaf, streams: true},
	} {
		generations := both
		if !s.streams {
			generations = both[1:]
		}
		for _, generation := range generations {
			rows = append(rows, row{
				name: fmt.Sprintf("masters of %s %s", generation, name), noticed: s.noticed, resync: s.resync,
				options: marathonsim.Options{Masters: 2, Generation: generation}, begin: misbehaving(s.fault),
			})
		}
	}
	for _, generation := range marathonsim.Generations() {
		rows = append(rows, row{
			name: fmt.Sprintf("the leader of %s changes, and masters cut answers", generation), noticed: failing,
			options: marathonsim.Options{Masters: 2, Generation: generation},
			begin: func(t *testing.T, g *rig) func() {
				t.Helper()
				end := misbehaving(marathonsim.Fault{Kind: marathonsim.FaultTruncate, Path: "/v2/apps"})(t, g)
				changeLeader(1)(t, g)
				return end
			},
		})
	}
	return rows
}

// misbehaving makes all masters misbehave, to clients that connect anew.
func misbehaving(f marathonsim.Fault) func(t *testing.T, g *rig) func() {
	return func(_ *testing.T, g *rig) func() {
		g.cluster.SetFault(marathonsim.AllMasters, f)
		g.cluster.DropStreams()
		return func() { g.cluster.SetFault(marathonsim.AllMasters, marathonsim.Fault{}) }
	}
}
