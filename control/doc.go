// Package control runs the pass: what a source found becomes claims, text and a
// change of HAProxy, and leaves a [Record].
//
//	snapshot → keep → Claim → Render → Apply → Record
//
// It owns what one pass hands to the next: services that lost their last task a
// moment ago (D62), apps whose text HAProxy refused, addresses that another
// process holds. It reads no network and writes no file itself.
//
// A [Controller] is driven by one goroutine, the source's; its views are safe for
// concurrent use.
package control
