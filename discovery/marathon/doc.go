// Package marathon follows Apache Mesos Marathon, versions 0.11 to 1.11, and
// turns what it says into snapshots of the model in package discovery.
//
// # Two halves
//
// The half with effects talks to Marathon. A [Client] reads the list of apps from
// whichever of the configured [Masters] answers; a [Stream] holds one connection
// to /v2/events; a [Watcher] joins them and decides when to read. It hands each
// result to one function, from one goroutine, one at a time:
//
//	Stream -- Hint --> Watcher -- Apps --> Client
//	                     |
//	                     +-- Derive --> discovery.Snapshot --> Pass
//
// The other half is pure: [DecodeApps] reads the documents of every generation,
// and a [Deriver] makes services of them.
//
// # Rules
//
// An event is a hint that something changed and never state: Marathon's manual
// calls its events unordered and good for invalidating caches only. Events are
// lost whenever no stream is attached, so everything is read again after the
// first event of each connection, and from time to time in between.
//
// A bad answer is never "no apps". Whatever is wrong (a status of 400 or more, a
// body that is empty, cut short or not a list of apps, silence) the next master
// is asked, and if none answers well the last snapshot stays in force.
//
// Credentials go to the configured masters and to the host that one of them named
// as leader, to nobody else, and they are in no error, log line or status.
//
// The authorities are Marathon's manual, chapters REST API and Event bus, and for
// the stream's format the HTML standard's chapter Server-sent events.
package marathon
