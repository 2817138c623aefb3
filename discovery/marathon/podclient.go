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
	"sync"
	"time"
)

// errNoRoute says that this Marathon has no pods: it does not know the path.
var errNoRoute = errors.New("no such path")

// versionsTimeout bounds what one reading asks about old versions of pods.
const versionsTimeout = 3 * time.Second

// withPods adds the pods to the answer about all apps, with last as in AppsElsewhere. A Marathon without pods (before
// 1.4) has none. Every other failure is one of the whole reading: it never means "no
// pods". So is an unknown path once there was a list of pods, as it comes from something
// else than the Marathon that gave the list.
func (c *Client) withPods(ctx context.Context, answer Answer, last string) (Answer, error) {
	var pods []podDocument
	q := question{path: "/v2/pods::status", last: last, read: func(body io.Reader) (err error) {
		pods, err = decodePods(body)
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
	limited, cancel := context.WithTimeout(ctx, versionsTimeout)
	defer cancel()
	for i := range pods {
		pod, _ := c.resolvePod(limited, &pods[i])
		ids[pod.ID] = true
		answer.Apps = append(answer.Apps, pod)
	}
	if ctx.Err() != nil {
		return Answer{}, context.Cause(ctx)
	}
	c.versions.keep(pods)
	c.pods.Store(&ids)
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
	var pod podDocument
	path := "/v2/pods/" + strings.TrimLeft(id, "/") + "::status"
	answer, err := c.ask(ctx, question{path: path, missing: ErrNotFound, read: func(body io.Reader) (err error) {
		if pod, err = decodePod(body); err == nil && pod.fault == "" && pod.status.ID != id {
			err = fmt.Errorf("it is about %s", excerpt(pod.status.ID)) // as with an app (asked)
		}
		return err
	}})
	if err != nil {
		return Answer{}, fmt.Errorf("get pod %s: %w", id, err)
	}
	essence, err := pod.essence()
	if err != nil {
		return Answer{}, fmt.Errorf("get pod %s: %w", id, err)
	}
	if answer.Digest = maphash.Bytes(c.seed, essence); answer.Digest == known {
		return answer, nil
	}
	limited, cancel := context.WithTimeout(ctx, versionsTimeout)
	defer cancel()
	app, whole := c.resolvePod(limited, &pod)
	if ctx.Err() != nil {
		return Answer{}, context.Cause(ctx)
	}
	if !whole {
		answer.Digest = 0 // the next reading may say more
	}
	answer.Apps = []App{app}
	return answer, nil
}

// isUnknownRoute reports whether an answer is Marathon's to a path that it does not know:
// 404 up to 1.5, then 500 with words of its own.
func isUnknownRoute(resp *http.Response) bool {
	if resp.StatusCode != http.StatusInternalServerError {
		return resp.StatusCode == http.StatusNotFound
	}
	var text []byte
	err := decompress(resp, resp.Body, 1<<12, new(sync.Pool), func(body io.Reader) (err error) {
		text, err = io.ReadAll(body)
		return err
	})
	return err == nil && bytes.Contains(text, []byte("URI not found"))
}
