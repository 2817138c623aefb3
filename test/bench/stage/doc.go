// Package stage is what the benchmarks of changes have in common: apps, a simulated
// Marathon and tasks in processes of their own, mlb with its HAProxy, and changes.
//
// Nothing of it is measured by itself. Processes that it starts are ended by whoever
// started them; all of them read the same monotonic clock.
package stage
