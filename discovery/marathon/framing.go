package marathon

import (
	"bytes"
	"io"
)

const (
	// readSize is how much is read from the socket at once.
	readSize = 64 << 10
	// keepSize is the largest event buffer that is kept for the next event.
	keepSize = 1 << 20
)

// frameReader cuts the body of an event stream into whole events and passes them on
// in the one form that every reader of event streams understands: lines that end
// with LF, an empty line after each event. It is there because the library behind
// it wants events of one framing, searches a long event again with each read, takes
// an event that was cut off for a whole one, and does not tell of empty lines.
//
//   - Lines may end with LF, CR LF or CR, in any mixture; a CR ends its line at
//     once, and an LF that comes in a later read belongs to it (Marathon writes the
//     two bytes of a heartbeat apart).
//   - A line that begins with a brace is a further document of the event's data,
//     as proxies leave it that merge events.
//   - Of an event above the limit the fields before it are kept, and its data is
//     replaced by something that is no document.
//   - What follows the last complete event is dropped.
type frameReader struct {
	src io.Reader
	// seen is called for each event, before it is passed on, and for each empty
	// line that ends no event: a heartbeat.
	seen func(heartbeat bool)
	// limit is the largest event in bytes.
	limit int

	buf     []byte // what one read brought
	chunk   []byte // the part of buf that is still to be cut
	event   []byte // the event in hand, as it will be passed on
	line    int    // where the line in hand begins in event
	tooLong bool   // the event in hand is above the limit; its rest is dropped
	empty   bool   // nothing of the line in hand was seen so far
	afterCR bool   // an LF as the next byte belongs to the last line end
	out     []byte // a complete event, not yet read
	err     error  // of src
}

func newFrameReader(src io.Reader, limit int, seen func(heartbeat bool)) *frameReader {
	return &frameReader{src: src, limit: limit, seen: seen, buf: make([]byte, readSize), empty: true}
}

// Read returns bytes of at most one event.
func (f *frameReader) Read(p []byte) (int, error) {
	for len(f.out) == 0 {
		if len(f.chunk) == 0 {
			if f.err != nil {
				return 0, f.err
			}
			var n int
			n, f.err = f.src.Read(f.buf)
			f.chunk = f.buf[:n]
			continue
		}
		f.cut()
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

// cut takes one line, or the part of it that is there, from the chunk.
func (f *frameReader) cut() {
	if f.afterCR {
		f.afterCR = false
		if f.chunk[0] == '\n' {
			f.chunk = f.chunk[1:]
			return
		}
	}
	end := bytes.IndexByte(f.chunk, '\n')
	part := f.chunk
	if end >= 0 {
		part = f.chunk[:end]
	}
	if cr := bytes.IndexByte(part, '\r'); cr >= 0 {
		end, part = cr, part[:cr]
		f.afterCR = true
	}
	f.extend(part)
	if end < 0 {
		f.chunk = nil
		return
	}
	f.chunk = f.chunk[end+1:]
	f.endLine()
}

// extend adds to the line in hand.
func (f *frameReader) extend(part []byte) {
	if len(part) == 0 {
		return
	}
	if len(f.event) == 0 && cap(f.event) > keepSize {
		f.event = nil
	}
	if f.empty && part[0] == '{' && !f.tooLong {
		f.event = append(f.event, "data:"...)
	}
	f.empty = false
	if f.tooLong {
		return
	}
	if len(f.event)+len(part) > f.limit {
		f.event = append(f.event[:f.line], "data:too long\n"...)
		f.tooLong = true
		return
	}
	f.event = append(f.event, part...)
}

// endLine ends the line in hand, and with it the event if the line is empty.
func (f *frameReader) endLine() {
	switch {
	case !f.empty && !f.tooLong:
		f.event = append(f.event, '\n')
		f.line = len(f.event)
	case !f.empty:
	case len(f.event) == 0:
		f.seen(true)
	default:
		f.seen(false)
		f.event = append(f.event, '\n')
		f.out, f.event = f.event, f.event[:0]
		f.line, f.tooLong = 0, false
	}
	f.empty = true
}
