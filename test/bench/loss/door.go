package main

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// door is a port of a task, which closes without resetting anybody.
//
// The system accepts connections before a program takes them, and resets those that
// wait when the program closes its port. A request that HAProxy has sent on such a
// connection is lost by the task, whoever the balancer is, and HAProxy must not repeat
// it. So that each failed request is the balancer's, a door first stops the system
// from accepting, then takes those who wait, and closes then.
type door struct {
	net.Listener
	raw syscall.RawConn
}

// newDoor returns the door of a TCP listener.
func newDoor(l net.Listener) (*door, error) {
	t, ok := l.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("%T is no TCP listener", l)
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("port of a task: %w", err)
	}
	return &door{Listener: l, raw: raw}, nil
}

// shut closes the door. Somebody has to call Accept meanwhile. With abrupt it does not
// care about those who wait.
func (d *door) shut(abrupt bool) {
	// A connection that is just being made is not in the queue yet.
	const least, most, pause = 3 * time.Millisecond, time.Second, 500 * time.Microsecond
	if !abrupt && d.refuse() == nil {
		for begin := time.Now(); time.Since(begin) < most; {
			<-time.After(pause)
			if n, err := d.waiting(); err != nil || n == 0 && time.Since(begin) > least {
				break
			}
		}
	}
	_ = d.Close() // it may be closed already
}

// refuse makes the system drop all that asks for a new connection (socket(7),
// SO_ATTACH_FILTER). Those who ask repeat it after a second and then find the port
// closed, or have gone elsewhere.
func (d *door) refuse() error {
	const flags, syn, ack = 13, 2, 16 // of the TCP header, with which packets begin here
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flags},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return d.control(func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter)
	})
}

// waiting returns how many connections the system has accepted that nobody has taken.
func (d *door) waiting() (int, error) {
	n := 0
	err := d.control(func(fd int) error {
		info, tcpErr := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if tcpErr == nil {
			n = int(info.Unacked) // of a listening socket: its queue
		}
		return tcpErr
	})
	return n, err
}

// control calls a function with the socket.
func (d *door) control(f func(fd int) error) (err error) {
	if e := d.raw.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}
