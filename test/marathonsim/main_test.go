package marathonsim_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// reply is an answer of which the body was read.
type reply struct {
	Status     string
	StatusCode int
	Header     http.Header
}

// get sends a GET without keeping the connection.
func get(tb testing.TB, url string, header ...string) (*reply, string) {
	tb.Helper()
	return send(tb, http.MethodGet, url, "", header...)
}

func send(tb testing.TB, method, url, body string, header ...string) (*reply, string) {
	tb.Helper()
	r, b, err := try(tb.Context(), method, url, body, header...)
	if err != nil {
		tb.Fatal(err)
	}
	return r, b
}

func try(ctx context.Context, method, url, body string, header ...string) (*reply, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	t := &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext}
	response, err := t.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	return &reply{response.Status, response.StatusCode, response.Header}, string(b), err
}
