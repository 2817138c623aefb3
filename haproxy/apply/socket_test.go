package apply_test

import (
	"errors"
	"os"
	"testing"

	"mlb/haproxy/apply"
	"mlb/haproxy/process"
	"mlb/test/haproxytest"
)

// Somebody who cleans up takes the socket away, but not HAProxy.
func TestChangesGoOnWhenTheMasterSocketIsGone(t *testing.T) {
	t.Parallel()
	a, b, c := target(t, "a"), target(t, "b"), target(t, "c")
	r := serving(t, a, b)
	master := r.process.PIDs()[0]
	traffic := newClients(t, r.bind)
	if err := os.Remove(r.process.Socket().Path()); err != nil {
		t.Fatal(err)
	}
	r.apply(t, apply.MethodReload, proxy("s", r.bind, a, c))
	r.awaitServers(t, "s/a ready", "s/c ready")
	r.apply(t, apply.MethodRuntime, proxy("s", r.bind, a, b))
	r.awaitServers(t, "s/a ready", "s/b ready")
	traffic.lossless(t)
	if found := masters(t, r.dir); len(found) != 1 || found[0] != master {
		t.Errorf("masters %v, want %d alone", found, master)
	}
}

func TestFolderInPlaceOfTheMasterSocketStopsChangesOnly(t *testing.T) {
	t.Parallel()
	a, b := target(t, "a"), target(t, "b")
	r := serving(t, a)
	master := r.process.PIDs()[0]
	traffic := newClients(t, r.bind)
	path := r.process.Socket().Path()
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if result, err := r.Apply(t.Context(), text(proxy("s", r.bind, a, b))); !errors.Is(err, process.ErrSocketPlace) {
		t.Errorf("Apply: %+v, %v", result, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	haproxytest.Eventually(t, "the text runs", func() bool { return r.Status().InSync })
	r.awaitServers(t, "s/a ready", "s/b ready")
	traffic.lossless(t)
	if found := masters(t, r.dir); len(found) != 1 || found[0] != master {
		t.Errorf("masters %v, want %d alone", found, master)
	}
}
