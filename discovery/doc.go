// Package discovery is the model that the rest of mlb works on: which app port
// ([Service]) is reachable at which task addresses ([Endpoint]), and what was
// wrong with the input ([Problem]).
//
// It holds values only. A published [Snapshot] never changes; every slice in it
// is sorted when it is made, so two snapshots of the same facts are equal. The
// package knows nothing about Marathon's JSON (see discovery/marathon, which
// makes snapshots) nor about HAProxy (see haproxy, which consumes them), and it
// imports nothing of mlb.
//
// Words are Marathon's: an app has port indexes; each port index has a service
// port; a task runs on an agent.
package discovery
