// Package process runs the haproxy binary: it finds out what the binary can do
// ([Probe]), lets it judge configuration files ([Check]), and keeps one HAProxy in
// master-worker mode alive ([Process]). It does not know what is in the files.
//
// A [Process] never starts a second HAProxy beside a live one. It looks for a
// master at its socket and takes it over, whoever started it; only without one it
// starts its own, in a session of its own, so that neither Ctrl-C nor the end of
// mlb reaches it. A file lock in the state directory keeps two mlb from supervising
// the same HAProxy: two HAProxy of one user share ports without an error.
//
// What HAProxy writes to its standard error goes to a file in the state directory,
// because a pipe would break when mlb ends before HAProxy. [Process] passes the
// lines on to the log and quotes them in errors.
//
// Only Linux is supported: processes are watched through process descriptors and
// found in /proc. Authority: HAProxy's management guide, sections 3 (starting), 4
// (stopping and restarting) and 9.4 (master socket).
package process
