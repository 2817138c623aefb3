// Package control runs the pass: what a source found becomes claims, text and a
// change of HAProxy, and leaves a [Record].
//
//	snapshot → keep → Claim → Render → Apply → Record
//
// It owns what one pass hands to the next: services that lost their last task a
// moment ago (D62), apps whose text HAProxy refused, addresses that another
// process holds. It reads no network and writes no file itself.
//
// A [Controller] is driven by the sources, one for each cluster of Marathon's: each says
// what there is in its own cluster, and a pass is about all of them. One pass runs at a
// time.
package control
