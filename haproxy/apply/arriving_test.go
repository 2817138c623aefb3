package apply_test

import (
	"net"
	"testing"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/test/haproxytest"
)

// later is a server line, called b, whose address refuses connections until listen is called.
func later(t *testing.T) (line string, listen func()) {
	t.Helper()
	addr := haproxytest.FreeAddr(t)
	return "b " + addr, func() {
		l, err := net.Listen("tcp", addr) //nolint:noctx // at once
		if err != nil {
			t.Fatal(err)
		}
		targetAt(t, "b", l)
	}
}

// A task runs before it listens.
func TestAServerThatRefusesConnectionsWaitsOutOfRotation(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	b, listen := later(t)
	r := serving(t, a)
	result := r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b))
	if result.Adds != 0 || r.Status().Arriving != 1 {
		t.Errorf("%d adds, %d arriving, want none and one", result.Adds, r.Status().Arriving)
	}
	r.awaitServers(t, "s/a ready", "s/b maint")
	r.apply(t, apply.MethodNone, proxy("s", r.bind, a, b))
	listen()
	r.awaitServers(t, "s/a ready", "s/b ready")
	r.awaitAnswers(t, r.bind, "a", "b")
	r.apply(t, apply.MethodNone, proxy("s", r.bind, a, b))
	want := text(proxy("s", r.bind, a, b)).Text()
	haproxytest.Eventually(t, "the file has it", func() bool { return r.disk(t) == want })
	if n := r.reloads(t); n != 0 || r.Status().Arriving != 0 {
		t.Errorf("%d reloads, %d arriving, want none", n, r.Status().Arriving)
	}
}

// Nobody waits for a check or a connection where there is no other server.
func TestAnArrivingServerIsUsedWhenThereIsNoOther(t *testing.T) {
	t.Parallel()
	for name, others := range map[string][]string{"the others go": nil, "the others drain": {" disabled"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := target(t, "a")
			b, _ := later(t)
			r := serving(t, a)
			r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b))
			r.awaitServers(t, "s/a ready", "s/b maint")
			var lines []string
			for _, o := range others {
				lines = append(lines, a+o)
			}
			r.apply(t, apply.MethodRuntime, proxy("s", r.bind, append(lines, b)...))
			want := []string{"s/b ready"}
			if len(others) > 0 {
				want = []string{"s/a maint", "s/b ready"}
			}
			r.awaitServers(t, want...)
			if n := r.Status().Arriving; n != 0 {
				t.Errorf("%d arriving", n)
			}
		})
	}
}

func TestAnArrivingServerThatIsNotWantedAnyMoreGoes(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	b, listen := later(t)
	r := serving(t, a)
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b))
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a))
	listen()
	r.awaitServers(t, "s/a ready")
	if n := r.Status().Arriving; n != 0 {
		t.Errorf("%d arriving", n)
	}
}

// Passes about other apps come often, and thousands of servers may be waiting.
func TestAnArrivingServerIsNotTriedByEveryPass(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	b, listen := later(t)
	r := serving(t, a)
	for i := range 200 { // without a pause it would be tried by each, and wait longer after each
		r.apply(t, map[bool]string{true: apply.MethodRuntime, false: apply.MethodNone}[i == 0], proxy("s", r.bind, a, b))
	}
	listen()
	r.awaitServers(t, "s/a ready", "s/b ready")
}

// It is out of rotation already, so its draining is no change of what runs.
func TestAnArrivingServerThatShallDrainStaysOutOfRotation(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	b, listen := later(t)
	r := serving(t, a)
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b))
	r.apply(t, apply.MethodNone, proxy("s", r.bind, a, b+" disabled"))
	listen()
	haproxytest.Eventually(t, "it is not tried any more", func() bool { return r.Status().Arriving == 0 })
	r.awaitServers(t, "s/a ready", "s/b maint")
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b))
	r.awaitServers(t, "s/a ready", "s/b ready")
}

// Who takes over knows that the server is wanted, and that it is not in use.
func TestAnArrivingServerArrivesAfterARestartOfMLB(t *testing.T) {
	t.Parallel()
	a := target(t, "a")
	b, listen := later(t)
	r := newRig(t)
	r.die(t, text(proxy("s", r.bind, a)), text(proxy("s", r.bind, a, b)))
	r.run(t, nil)
	if result := r.applyText(t, text(proxy("s", r.bind, a, b))); result.Method == apply.MethodReload {
		t.Errorf("result %+v", result)
	}
	r.awaitServers(t, "s/a ready", "s/b maint")
	listen()
	r.awaitServers(t, "s/a ready", "s/b ready")
	if n := r.reloads(t); n != 0 {
		t.Errorf("%d reloads", n)
	}
}

// applyText applies by whatever method.
func (r *rig) applyText(t *testing.T, c haproxy.Config) apply.Result {
	t.Helper()
	result, err := r.Apply(t.Context(), c)
	if err != nil {
		t.Fatalf("Apply: %+v, %v", result, err)
	}
	return result
}
