package marathon

import (
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"net/http"
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

// decompressed returns the content of a body, limited to a number of bytes.
func decompressed(resp *http.Response, wire io.Reader, limit int64) (io.Reader, error) {
	content := wire
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(wire)
		if err != nil {
			return nil, fmt.Errorf("decompress answer: %w", err)
		}
		content = unpacked
	default:
		return nil, fmt.Errorf("decompress answer: unknown encoding %q", encoding)
	}
	return http.MaxBytesReader(nil, io.NopCloser(content), limit), nil
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
