package main

import (
	"context"
	"net"
	"testing"
	"time"
)

// The system accepts a connection that waits before the door shuts; it is taken, and
// a later one is not accepted.
func TestDoorTakesThoseWhoWait(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDoor(l)
	if err != nil {
		t.Fatal(err)
	}
	dial := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		var dialer net.Dialer
		c, dialErr := dialer.DialContext(ctx, "tcp4", l.Addr().String())
		if dialErr == nil {
			t.Cleanup(func() { _ = c.Close() })
		}
		return dialErr
	}
	if err = dial(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if n, waitErr := d.waiting(); n != 1 || waitErr != nil {
		t.Errorf("%d wait, %v, want 1", n, waitErr)
	}
	if err = d.refuse(); err != nil {
		t.Fatal(err)
	}
	if err = dial(200 * time.Millisecond); err == nil {
		t.Error("a connection was accepted after the system was told to refuse")
	}
	taken := make(chan error, 1)
	go func() {
		c, err := d.Accept()
		if err == nil {
			err = c.Close()
		}
		taken <- err
	}()
	d.shut(false)
	if err := <-taken; err != nil {
		t.Errorf("the one who waited: %v", err)
	}
	if n, err := d.waiting(); err == nil {
		t.Errorf("%d wait at a closed door", n)
	}
}
