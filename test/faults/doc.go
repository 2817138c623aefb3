// Package faults holds no code of its own. Its test puts everything that mlb consists of,
// from the client of Marathon to a real HAProxy, through all that can go wrong between it
// and a simulated Marathon, one fault a row.
//
// mlb reaches each master through a gate of the test, which spoils connections, answers
// and the event stream. Each row holds that what is served when the fault begins goes on
// being served, that HAProxy has exactly what Marathon says when the fault has ended, and
// that no goroutine and no connection is left. HAProxy has to be installed; without it the
// test is skipped, or fails when CI is set.
package faults
