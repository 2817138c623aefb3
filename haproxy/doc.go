// Package haproxy turns services into what HAProxy must do about them, as
// values: which service owns which name, address and port ([Claim]), what a
// configuration text consists of ([Parse], [Config]), and how to get from the
// text that HAProxy runs to the text that it should run ([Diff], [Plan]).
//
// The idea behind it: the configuration text is the truth, and runtime commands
// are a short cut that the difference of two texts has proven safe. A text is
// cut into sections; a backend or listen section into its skeleton (all that is
// not a server line) and its servers, each read with what default-server adds to
// it. Servers that differ in a section whose skeleton accepts dynamic servers
// become steps of the Runtime API, everything else becomes a reason to reload.
//
// Everything here is a pure function of its arguments: no clock, no file, no
// socket, no logger. All functions are safe for concurrent use. Whoever carries
// a plan out is haproxy/apply; whoever makes the text is haproxy/render.
//
// Authorities: HAProxy's configuration manual (sections 2.2 for quoting, 5.2 for
// server options) and its management guide (section 9.3 for the commands).
package haproxy
