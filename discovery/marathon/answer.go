package marathon

import (
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"
)

// mediaType returns the media type of an answer in lower case, or empty.
func mediaType(resp *http.Response) string {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// decompress calls read with the content of a body, limited to a number of bytes. The pool
// holds *gzip.Reader that are not in use.
func decompress(resp *http.Response, wire io.Reader, limit int64, pool *sync.Pool, read func(body io.Reader) error) error {
	content := wire
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacker, _ := pool.Get().(*gzip.Reader)
		if unpacker == nil {
			unpacker = &gzip.Reader{}
		}
		defer pool.Put(unpacker)
		if err := unpacker.Reset(wire); err != nil {
			return fmt.Errorf("decompress answer: %w", err)
		}
		content = unpacker
	default:
		return fmt.Errorf("decompress answer: unknown encoding %q", encoding)
	}
	return read(http.MaxBytesReader(nil, io.NopCloser(content), limit))
}

// meteredReader counts bytes and puts a timer off with each read that brought some.
type meteredReader struct {
	r     io.Reader
	bytes int64
	idle  *time.Timer
	limit time.Duration
}

func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.bytes += int64(n)
		r.idle.Reset(r.limit)
	}
	return n, err
}
