package image_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
)

// masterAddresses are the test's own addresses on which Marathon's masters
// listen, the leader first. The other two are reached through the hosts that the
// tutorial names, which forward to them.
func masterAddresses() []string {
	return []string{thirdHost, "192.168.71.171", "192.168.71.172"}
}

// agentAddresses are the machines that run tasks.
func agentAddresses() []string {
	return []string{"192.168.71.181", "192.168.71.182", "192.168.71.183"}
}

// startMarathon starts a simulated Marathon that is reached at port 8080 of all
// three hosts of the tutorial.
func startMarathon(t *testing.T, s *scene) {
	t.Helper()
	options := marathonsim.Options{
		// What the documents name is where the balancers really are, so no address
		// needs another to stand for it.
		Launcher:       launcher.Local{},
		HealthInterval: time.Second,
	}
	for _, address := range masterAddresses() {
		options.Listen = append(options.Listen, address+":8080")
	}
	for _, address := range agentAddresses() {
		options.Agents = append(options.Agents, marathonsim.Agent{Address: address})
	}
	cluster, err := marathonsim.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Errorf("close the cluster: %v", err)
		}
	})
	forward(t, s.external.listen(t, 8080), options.Listen[1])
	forward(t, s.internal.listen(t, 8080), options.Listen[2])
}

// forward passes connections on until the listener is closed.
func forward(t *testing.T, listener net.Listener, to string) {
	t.Helper()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go pipe(conn, to)
		}
	}()
}

// pipe connects one connection with another until either ends.
func pipe(conn net.Conn, to string) {
	defer func() { _ = conn.Close() }()
	var dialer net.Dialer
	peer, err := dialer.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = peer.Close() }()
	var both sync.WaitGroup
	copyTo := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		// Whichever direction ends first ends the other.
		_, _ = to.Close(), from.Close()
	}
	both.Go(func() { copyTo(peer, conn) })
	both.Go(func() { copyTo(conn, peer) })
	both.Wait()
}
