// Package runtime talks to a running HAProxy: the Runtime API of its worker and
// the commands of its master. It turns commands into checked answers and tables
// into values; it decides nothing and keeps no state of HAProxy.
//
// A [Socket] is either the master socket of an HAProxy that mlb supervises, where
// every command is addressed to the current worker, or the stats socket of an
// HAProxy that somebody else started. Each call opens its own connection, because
// a connection belongs to the worker that accepted it: after a reload an open one
// would still talk to the old worker.
//
// What the wire gives and does not give (seen on HAProxy 2.6):
//   - A lost connection or a time-out looks like the end of an answer. Hence every
//     command is followed by a second one whose answer is known; without all of
//     those the batch ends in [ErrIncomplete].
//   - The master socket does not pass severities on, so refusals are recognised
//     by their text there. The only proof that a command worked is to read the
//     state back, see [Socket.Servers].
//   - A batch whose call was given up may still be carried out later. Commands
//     must be such that repeating them is harmless.
//
// A [Roster] tells people and metrics about the workers, old ones included.
//
// This is the only package that uses the client-native library. Authority:
// HAProxy's management guide, sections 9.3 (commands) and 9.4 (master socket).
package runtime
