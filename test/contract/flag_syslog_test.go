package contract_test

import (
	"net"
	"testing"
)

// receive collects what is sent to a new datagram socket, each message with a line
// break, until the test ends.
func receive(t *testing.T, path string, to *lines) {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 64<<10)
		for {
			n, err := socket.Read(buffer)
			if err != nil {
				return // it was closed
			}
			_, _ = to.Write(append(buffer[:n:n], '\n')) // it takes everything
		}
	}()
	t.Cleanup(func() {
		if err := socket.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}
