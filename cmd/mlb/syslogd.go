package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxDatagram is the longest message that is taken; HAProxy's are 64 KiB at most.
const maxDatagram = 64 << 10

// syslogdPause keeps a broken socket from being read in a busy loop.
const syslogdPause = time.Second

// syslogd receives what others log and copies it, one message a line, as the syslog
// daemon of marathon-lb's container does (contract 1.1 step 1, D10).
type syslogd struct {
	path string
	conn *net.UnixConn
}

// startSyslogd receives at a socket and copies to a writer until the function that it
// returns is called. An empty path means not at all. The error says why nothing is
// received.
func startSyslogd(path string, to io.Writer) (end func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	s, err := openSyslogd(path)
	if err != nil {
		return func() {}, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.run(ctx, to) })
	return func() {
		cancel()
		running.Wait()
	}, nil
}

// openSyslogd begins to listen at a datagram socket that everybody may send to. What
// an ended process left there is replaced; a socket that somebody reads, or a file
// that is none, is an error. The caller calls run once.
func openSyslogd(path string) (*syslogd, error) {
	if err := clearSocket(path); err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil { //nolint:gosec // HAProxy's worker is another user.
		return nil, errors.Join(err, conn.Close())
	}
	return &syslogd{path: path, conn: conn}, nil
}

// clearSocket removes a socket that nobody reads.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is something else")
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		return errors.Join(errors.New("somebody listens there"), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return errors.New("somebody listens there")
	}
	return os.Remove(path)
}

// run copies messages until ctx is done and then removes the socket. A message that
// cannot be written is lost: there is nobody to tell.
func (s *syslogd) run(ctx context.Context, to io.Writer) {
	closed := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer closed()
	buffer := make([]byte, maxDatagram+1)
	for {
		n, err := s.conn.Read(buffer[:maxDatagram])
		switch {
		case ctx.Err() != nil:
			_ = os.Remove(s.path) // the next start would replace it
			return
		case err != nil:
			pause := time.NewTimer(syslogdPause)
			select {
			case <-ctx.Done():
			case <-pause.C:
			}
			pause.Stop()
		default:
			message := bytes.TrimRight(buffer[:n], "\n\x00")
			_, _ = to.Write(append(message, '\n'))
		}
	}
}
