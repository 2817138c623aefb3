package marathon

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/r3labs/sse/v2"
	"go.uber.org/zap"
	"gopkg.in/cenkalti/backoff.v1"
)

// connection is one attempt to follow events and what came of it.
type connection struct {
	stream *Stream
	hint   func(Hint)
	limit  int

	cancel context.CancelCauseFunc
	head   *time.Timer // until the answer begins
	idle   *time.Timer // until the next byte
	attach *time.Timer // until the first event

	address string // who serves the stream
	alive   bool   // an event or a heartbeat arrived; valid when run returned
	event   bool   // an event was handled
}

// run connects to a master, follows its events until the connection ends and
// returns why it did. The library makes the request and reads the events; when to
// give up and when to try again is not left to it.
func (c *connection) run(ctx context.Context, m master) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.cancel = cancel
	cfg := c.stream.cfg
	c.head = time.AfterFunc(cfg.ConnectTimeout, func() { cancel(errNoAnswer) })
	defer c.head.Stop()
	defer func() {
		if c.idle != nil {
			c.idle.Stop()
			c.attach.Stop()
		}
	}()

	c.stream.client.sender.renew()
	client := sse.NewClient(m.endpoint("/v2/events", streamQuery(c.stream.client.cfg.Pods)).String(), sse.ClientMaxBufferSize(c.limit+readSize))
	client.ReconnectStrategy = &backoff.StopBackOff{}
	client.ResponseValidator = func(_ *sse.Client, resp *http.Response) error { return c.accept(resp) }
	client.Connection = &http.Client{Transport: c.stream.client.sender, CheckRedirect: keepRedirect}

	err := client.SubscribeRawWithContext(ctx, c.handle)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return plainError(err)
	}
	return errStreamEnded
}

// accept checks the head of the answer and puts the watch over its body in place.
// The library does not close the body of an answer that is refused.
func (c *connection) accept(resp *http.Response) error {
	c.head.Stop()
	err := checkStream(resp)
	if err != nil {
		_ = resp.Body.Close()
		return err
	}
	cfg := c.stream.cfg
	c.address = resp.Request.URL.Scheme + "://" + resp.Request.URL.Host
	c.attach = time.AfterFunc(cfg.AttachTimeout, func() { c.cancel(errNoEvent) })
	c.idle = time.AfterFunc(cfg.IdleTimeout, func() { c.cancel(errStreamSilent) })
	watched := &watchedReader{r: resp.Body, seen: func() {
		c.idle.Reset(cfg.IdleTimeout)
		c.stream.sawByte()
	}}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{newFrameReader(watched, c.limit, c.seen), resp.Body}
	return nil
}

func checkStream(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &StatusError{Status: resp.StatusCode}
	}
	if kind := mediaType(resp); kind != "text/event-stream" && kind != "" {
		return fmt.Errorf("answer is %s and not an event stream", kind)
	}
	return nil
}

// seen takes in a sign of life, of which the first proves the connection. The
// library's reading goroutine calls it, before handle is called for the event.
func (c *connection) seen(heartbeat bool) {
	if c.alive {
		return
	}
	c.alive = true
	c.stream.began(c.address)
	if heartbeat {
		c.hint(Hint{Type: triggerReconnect, All: true})
	}
}

// handle takes in an event, or several that were merged. The library calls it from
// the goroutine of run; it must not block, or Marathon's buffer for us overflows.
func (c *connection) handle(msg *sse.Event) {
	kind := string(msg.Event)
	events, unreadable := decodeEvents(msg.Data)
	if len(events)+unreadable == 0 {
		return
	}
	if !c.event {
		c.event = true
		c.attach.Stop()
		// What changed between the last fetch and this attachment was not told.
		c.hint(Hint{Type: triggerReconnect, All: true})
	}
	c.stream.sawEvent()
	if unreadable > 0 {
		c.stream.metrics.unreadable.Add(float64(unreadable))
		c.stream.log.Debug("event skipped", zap.String("event", kind))
		if subscribed(kind, c.stream.client.cfg.Pods) && kind != typeAttached {
			c.hint(Hint{Type: kind, All: true}) // what it said is lost, that it came is not
		}
	}
	for _, e := range events {
		if e.Type == "" {
			e.Type = kind
		}
		c.take(e)
	}
}

// take counts one event and passes on what it hints at. Types are sorted out here
// because older versions send all of them.
func (c *connection) take(e event) {
	if !subscribed(e.Type, c.stream.client.cfg.Pods) {
		c.stream.metrics.events.WithLabelValues("other").Inc()
		return
	}
	c.stream.metrics.events.WithLabelValues(e.Type).Inc()
	c.stream.log.Debug("event", zap.String("event", e.Type))
	if e.Type != typeAttached {
		c.hint(e.hint())
	}
}

// watchedReader calls seen for each read that brought something.
type watchedReader struct {
	r    io.Reader
	seen func()
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.seen()
	}
	return n, err
}
