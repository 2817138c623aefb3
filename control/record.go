package control

import (
	"time"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
)

// recordsKept is how many records a controller remembers.
const recordsKept = 100

// Record is what one pass leaves behind; logs, metrics and pages are views of it.
type Record struct {
	// Trace says what set the pass off and when its first hops ended.
	Trace discovery.Trace
	// Source is the master that answered.
	Source string
	// Services and Endpoints count what was rendered.
	Services, Endpoints int
	// Method is how the change was made: none, runtime, reload, start, deferred.
	Method string
	// Reasons say why a reload was needed.
	Reasons []haproxy.Reason
	// Adds and Removes count servers added to and removed from rotation.
	Adds, Removes int
	// Rendered and Applied are when these hops ended.
	Rendered, Applied time.Time
	// Runtime and Reload are how long runtime steps and a reload took, reading back
	// included. Zero: there was none.
	Runtime, Reload time.Duration
	// Problems are all problems that the pass found.
	Problems []discovery.Problem
	// Error is why the pass failed, or empty. The last good state stays.
	Error string
}

// did notes what was done for the pass.
func (r *Record) did(result apply.Result) {
	r.Method, r.Reasons, r.Adds, r.Removes = result.Method, result.Reasons, result.Adds, result.Removes
	r.Runtime, r.Reload = result.Runtime, result.Reload
}
