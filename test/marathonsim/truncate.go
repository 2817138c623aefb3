package marathonsim

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
)

// truncates reports whether answers are cut.
func (f Fault) truncates() bool {
	return f.Kind == FaultTruncate || f.Kind == FaultTruncateHead || f.Kind == FaultLeaderChange
}

// cut returns as much of a part of an answer as gets through.
func (f Fault) cut(b []byte) []byte {
	if f.Bytes > 0 {
		return b[:min(f.Bytes, len(b))]
	}
	return b[:len(b)/2]
}

// truncating is a ResponseWriter that announces the whole answer and cuts the
// connection after a part of it.
type truncating struct {
	http.ResponseWriter
	master *master
	fault  Fault
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (t *truncating) WriteHeader(status int) { t.status = status }

// Write implements http.ResponseWriter.
func (t *truncating) Write(b []byte) (int, error) {
	n, err := t.body.Write(b)
	if err != nil {
		return n, fmt.Errorf("keep the body: %w", err)
	}
	return n, nil
}

// finish sends what is to arrive. A handler that took the connection has nothing
// left to cut.
func (t *truncating) finish() {
	if t.status == 0 && t.body.Len() == 0 {
		return
	}
	conn, _, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if t.status == 0 {
		t.status = http.StatusOK
	}
	header := t.Header().Clone()
	header.Set("Content-Length", strconv.Itoa(t.body.Len()))
	var head bytes.Buffer
	_, _ = fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", t.status, http.StatusText(t.status))
	_ = header.Write(&head) // a buffer takes everything
	_, _ = head.WriteString("\r\n")
	out := append(head.Bytes(), t.fault.cut(t.body.Bytes())...)
	if t.fault.Kind == FaultTruncateHead {
		out = t.fault.cut(head.Bytes())
	}
	_, _ = conn.Write(out) // the connection is to break anyway
	if t.fault.Kind == FaultLeaderChange {
		t.master.cluster.resign()
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (t *truncating) Unwrap() http.ResponseWriter { return t.ResponseWriter }
