package e2e_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"mlb/test/marathonsim/launcher"
)

// answer is what came back for one request.
type answer struct {
	code   int
	status string // with its text
	task   string // that of a task in this process, else empty
	body   string
}

// get sends one request on a connection of its own.
func get(ctx context.Context, url, vhost string) (answer, error) {
	client := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	return getBy(ctx, client, url, vhost)
}

// getBy sends one request and reads the answer to its end.
func getBy(ctx context.Context, client *http.Transport, url, vhost string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	if vhost != "" {
		r.Host = vhost
	}
	response, err := client.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Status, response.Header.Get(launcher.HeaderTask), string(body)}, err
}
