package marathonsim

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
)

// truncating is a ResponseWriter that announces the whole answer and cuts the
// connection after a part of the body.
type truncating struct {
	http.ResponseWriter
	master *master
	limit  int
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
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if t.status == 0 {
		t.status = http.StatusOK
	}
	limit := t.limit
	if limit <= 0 {
		limit = t.body.Len() / 2
	}
	header := t.Header().Clone()
	header.Set("Content-Length", strconv.Itoa(t.body.Len()))
	_, _ = fmt.Fprintf(rw, "HTTP/1.1 %d %s\r\n", t.status, http.StatusText(t.status)) // Flush reports the error
	_ = header.Write(rw)
	_, _ = fmt.Fprint(rw, "\r\n")
	_, _ = rw.Write(t.body.Bytes()[:min(limit, t.body.Len())])
	_ = rw.Flush() // the connection is to break anyway
}

// Unwrap lets http.ResponseController reach the connection.
func (t *truncating) Unwrap() http.ResponseWriter { return t.ResponseWriter }
