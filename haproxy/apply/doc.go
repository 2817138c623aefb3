// Package apply brings a configuration text into effect: runtime steps first, a
// reload where steps do not do, files behind it. It is the only writer of
// HAProxy's files and the only one that changes HAProxy.
//
// One goroutine, [Loop.Run], owns all state: the running configuration, the
// servers on their way out, the text that waits for a reload, and the timers.
// [Loop.Apply] hands it a text and waits for the verdict. Files never run ahead of
// what HAProxy was proven to accept: the configuration file always holds a text
// that the running HAProxy serves, so that a start after any crash finds a good one.
package apply
