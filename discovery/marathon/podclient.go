package marathon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"strings"
)

// errNoRoute says that this Marathon has no pods: it does not know the path.
var errNoRoute = errors.New("no such path")

// withPods adds the pods to the answer about all apps. A Marathon without pods (before
// 1.4) has none. Every other failure is one of the whole reading: it never means "no
// pods". So is an unknown path once there was a list of pods, as it comes from something
// else than the Marathon that gave the list.
func (c *Client) withPods(ctx context.Context, answer Answer) (Answer, error) {
	var pods []App
	q := question{path: "/v2/pods::status", read: func(body io.Reader) (err error) {
		pods, err = DecodePods(body)
		return err
	}}
	if c.pods.Load() == nil {
		q.missing, q.unknownRoute = errNoRoute, true
	}
	more, err := c.ask(ctx, q)
	switch {
	case errors.Is(err, errNoRoute):
		return answer, nil
	case err != nil:
		return Answer{}, fmt.Errorf("get pods: %w", err)
	}
	ids := make(map[string]bool, len(pods))
	for i := range pods {
		ids[pods[i].ID] = true
	}
	c.pods.Store(&ids)
	answer.Apps = append(answer.Apps, pods...)
	answer.Received, answer.Bytes = more.Received, answer.Bytes+more.Bytes
	return answer, nil
}

// isPod reports whether the last list had a pod of that ID.
func (c *Client) isPod(id string) bool {
	ids := c.pods.Load()
	return ids != nil && (*ids)[id]
}

// pod is App for a pod. The digest is one of what is read, because times in the document
// move with each reading.
func (c *Client) pod(ctx context.Context, id string, known uint64) (Answer, error) {
	var pods []App
	var digest uint64
	path := "/v2/pods/" + strings.TrimLeft(id, "/") + "::status"
	answer, err := c.ask(ctx, question{path: path, missing: ErrNotFound, read: func(body io.Reader) error {
		pod, essence, err := decodeOnePod(body)
		if digest = maphash.Bytes(c.seed, essence); err == nil && digest != known {
			pods = []App{pod}
		}
		return err
	}})
	if err != nil {
		return Answer{}, fmt.Errorf("get pod %s: %w", id, err)
	}
	answer.Apps, answer.Digest = pods, digest
	return answer, nil
}

// isUnknownRoute reports whether an answer is Marathon's to a path that it does not know:
// 404 up to 1.5, then 500 with words of its own.
func isUnknownRoute(resp *http.Response) bool {
	if resp.StatusCode != http.StatusInternalServerError {
		return resp.StatusCode == http.StatusNotFound
	}
	body, err := decompressed(resp, resp.Body, 1<<12)
	if err != nil {
		return false
	}
	text, err := io.ReadAll(body)
	return err == nil && bytes.Contains(text, []byte("URI not found"))
}
