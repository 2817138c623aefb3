package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"go.uber.org/zap"
)

const (
	// maxMessages is the size above which the file of messages is emptied, in
	// bytes. HAProxy writes a line for each server that goes up or down.
	maxMessages = 4 << 20
	// maxQuote bounds what an error quotes.
	maxQuote = 64 << 10
)

// messages is the file that HAProxy's standard error goes to. HAProxy appends;
// everybody here reads at an offset of their own.
type messages struct {
	path string
	log  *zap.Logger
	// mu guards passed: lines are passed on by the watcher of a master and, when a
	// start or reload ends, by its caller.
	mu     sync.Mutex
	passed int64
}

// open opens the file for a new HAProxy.
func (m *messages) open() (*os.File, error) {
	f, err := os.OpenFile(m.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("messages of haproxy: %w", err)
	}
	return f, nil
}

// mark returns the present end of the file.
func (m *messages) mark() int64 {
	info, err := os.Stat(m.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// since returns what was written after a mark, at most 64 KiB of it. Errors are part
// of the text, as the text is only for people.
func (m *messages) since(mark int64) string {
	f, err := os.Open(m.path)
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if mark > m.mark() {
		mark = 0 // the file was emptied meanwhile
	}
	b, err := io.ReadAll(io.NewSectionReader(f, mark, maxQuote))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}

// skip leaves out what the file holds so far.
func (m *messages) skip() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passed = m.mark()
}

// pass writes new whole lines to the log, and empties the file when it has become
// too long.
func (m *messages) pass() {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := m.mark()
	if size < m.passed {
		m.passed = 0
	}
	for m.passed < size {
		n := m.passChunk()
		if n == 0 {
			break
		}
		m.passed += n
	}
	if size > maxMessages && m.passed == size && os.Truncate(m.path, 0) == nil {
		m.passed = 0
	}
}

// passChunk passes on the whole lines of the next 64 KiB and returns their length.
func (m *messages) passChunk() int64 {
	f, err := os.Open(m.path)
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // nothing was written
	b, err := io.ReadAll(io.NewSectionReader(f, m.passed, maxQuote))
	if err != nil {
		return 0
	}
	end := strings.LastIndexByte(string(b), '\n') + 1
	if end == 0 && len(b) == maxQuote {
		end = len(b) // a line without end
	}
	for line := range strings.Lines(string(b[:end])) {
		m.passLine(strings.TrimRight(line, "\n"))
	}
	return int64(end)
}

func (m *messages) passLine(line string) {
	level := ""
	if match := messagePattern.FindStringSubmatch(line); match != nil {
		level, line = match[1], match[2]
	}
	field := zap.String("text", line)
	switch level {
	case "ALERT":
		m.log.Warn("haproxy alert", field)
	case "NOTICE":
		m.log.Debug("haproxy notice", field)
	default:
		m.log.Info("haproxy message", field)
	}
}
