package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// syslogPatience bounds how long a full syslog socket may hold up a line.
const syslogPatience = 100 * time.Millisecond

// syslogPause is how long lines are dropped after a daemon took none within
// that time.
const syslogPause = 10 * time.Second

// syslogSocket sends each write as one datagram. Lines that the daemon does not
// take are lost: the log must not hold up the work, and stderr has them too.
// It is safe for concurrent use.
type syslogSocket struct {
	path string
	// mu guards conn, which is replaced when the daemon was restarted; every
	// goroutine that logs comes through here.
	mu     sync.Mutex
	conn   net.Conn
	closed bool
	muted  time.Time // until when lines are dropped, because the daemon hangs
}

// dialSyslog connects to the datagram socket at path.
func dialSyslog(path string) (*syslogSocket, error) {
	s := &syslogSocket{path: path}
	if err := s.dial(); err != nil {
		return nil, err
	}
	return s, nil
}

// dial connects or connects again. It does not wait: a datagram socket is there
// or it is not.
func (s *syslogSocket) dial() error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("syslog socket: %w", err)
	}
	s.conn = conn
	return nil
}

// Write sends one line. It always reports success: there is nobody to tell.
func (s *syslogSocket) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || time.Now().Before(s.muted) {
		return len(line), nil
	}
	err := s.send(line)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.muted = time.Now().Add(syslogPause)
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EMSGSIZE) {
		return len(line), nil
	}
	if s.conn != nil {
		_ = s.conn.Close() // it is broken; what closing says changes nothing
		s.conn = nil
	}
	if s.dial() == nil {
		_ = s.send(line) // a line that cannot be sent twice is lost
	}
	return len(line), nil
}

// send writes one datagram, if there is a connection.
func (s *syslogSocket) send(line []byte) error {
	if s.conn == nil {
		return net.ErrClosed
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(syslogPatience)); err != nil {
		return err
	}
	_, err := s.conn.Write(line)
	return err
}

// Sync has nothing to do: every line is sent at once.
func (s *syslogSocket) Sync() error { return nil }

// Close ends the connection; later lines are dropped.
func (s *syslogSocket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn == nil {
		return nil
	}
	conn := s.conn
	s.conn = nil
	return conn.Close()
}

// syslogEncoder puts the priority of RFC 3164 (facility user) in front of a line
// and leaves out the line break.
type syslogEncoder struct {
	zapcore.Encoder
}

// Clone returns an encoder that can be given more fields.
func (e syslogEncoder) Clone() zapcore.Encoder { return syslogEncoder{e.Encoder.Clone()} }

// EncodeEntry returns the datagram for one entry.
func (e syslogEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, err
	}
	line.TrimNewline()
	text := line.String()
	line.Reset()
	line.AppendByte('<')
	line.AppendInt(int64(facilityUser*8 + severity(entry.Level)))
	line.AppendByte('>')
	line.AppendString(text)
	return line, nil
}

// facilityUser is the facility of programs that have none of their own.
const facilityUser = 1

// severity returns the number of RFC 3164 for a level.
func severity(level zapcore.Level) int {
	switch level {
	case zapcore.DebugLevel:
		return 7
	case zapcore.InfoLevel:
		return 6
	case zapcore.WarnLevel:
		return 4
	case zapcore.ErrorLevel:
		return 3
	case zapcore.DPanicLevel, zapcore.PanicLevel, zapcore.FatalLevel, zapcore.InvalidLevel:
		return 2
	}
	return 2
}
