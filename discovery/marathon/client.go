package marathon

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// ClientConfig says how to reach Marathon. In all durations zero means the default.
type ClientConfig struct {
	// ConnectTimeout bounds connecting and, apart, the TLS handshake. Default 3 s.
	ConnectTimeout time.Duration
	// HeaderTimeout is how long a connected master may take until its answer
	// begins. If all masters failed and one of them for this reason, the next
	// fetch waits twice as long, up to ReadTimeout: a master that hangs costs
	// little, and one that is slow is heard in the end. Default 10 s.
	HeaderTimeout time.Duration
	// IdleTimeout is the longest pause within an answer. Default 10 s.
	IdleTimeout time.Duration
	// ReadTimeout bounds reading the whole answer. Default 46 s (contract 2.1).
	ReadTimeout time.Duration
	// MaxBody is the largest answer in bytes after decompression. Default 1 GiB.
	MaxBody int64
	// CAFile holds the certificates that Marathon's must derive from, in PEM.
	// Without it HTTPS is not verified, and the caller says so (K1).
	CAFile string
	// ServerName is the name that the certificates of the masters, and of the leader that
	// they redirect to, have to be for, and that is sent in handshakes. Empty means each
	// one's host. Without CAFile it is sent only.
	ServerName string
	// Identity is the client certificate for hosts that may have the credentials, if
	// they ask for one; nil means none.
	Identity *Identity
	// Readiness asks for the results of readiness checks, too.
	Readiness bool
	// Credentials are sent to the masters and their leader; nil means none.
	Credentials Credentials
	// Pods reads pods too, as apps whose ports are their endpoints (Marathon 1.4 and
	// later), and follows their events.
	Pods bool
	// Proxy finds the proxy for a request as http.Transport's Proxy does. Nil
	// means the environment's HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
	Proxy func(*http.Request) (*url.URL, error)
}

func (c ClientConfig) withDefaults() ClientConfig {
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 3*time.Second)
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, 10*time.Second)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 10*time.Second)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 46*time.Second)
	c.MaxBody = cmp.Or(c.MaxBody, 1<<30)
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	return c
}

// Answer is one good answer to the question for all apps, or for one.
type Answer struct {
	// Apps are in Marathon's order, which says nothing but for K3.
	Apps []App
	// Master is the configured address that answered, without credentials. It
	// need not be the leader; standbys pass the question on.
	Master string
	// Began and Received are when the request that was answered began and when
	// the answer was complete.
	Began, Received time.Time
	// Bytes is the size of the body on the wire, that is before decompression.
	Bytes int64
	// Digest is the same for equal answers about one app; another answer is all but
	// certain to have another one. Zero for all apps.
	Digest uint64
}

// Client reads from a cluster of Marathon masters. It is safe for concurrent use.
type Client struct {
	cfg     ClientConfig
	masters *Masters
	seed    maphash.Seed
	sender  *sender
	http    *retryablehttp.Client
	metrics *Metrics

	// headerWait is the present HeaderTimeout in nanoseconds.
	headerWait atomic.Int64
	// pods are the IDs in the last list of pods; nil until there is one.
	pods     atomic.Pointer[map[string]bool]
	versions podVersions

	// texts are *bytes.Buffer, unpackers *gzip.Reader that are not in use: a change makes
	// as little garbage as can be, for collecting it costs more than all else about it.
	texts, unpackers sync.Pool
}

// NewClient returns a client for the masters. The error is about the file of
// certificates. Call Close after the last request.
func NewClient(cfg ClientConfig, masters *Masters, m *Metrics) (*Client, error) {
	cfg = cfg.withDefaults()
	known, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, masters: masters, metrics: m, seed: maphash.MakeSeed(),
		sender: &sender{known: known, strange: known.anonymous(), masters: masters, credentials: cfg.Credentials},
	}
	c.headerWait.Store(int64(cfg.HeaderTimeout))
	c.http = &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: c.sender, CheckRedirect: keepRedirect},
		RetryMax:     1,
		RetryWaitMin: 50 * time.Millisecond,
		RetryWaitMax: 50 * time.Millisecond,
		CheckRetry:   brokenConnection,
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return c, nil
}

// Close closes idle connections; it does not wait for requests.
func (c *Client) Close() { c.sender.CloseIdleConnections() }

// keepRedirect leaves redirects to the sender.
func keepRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// brokenConnection asks for a second attempt at the same master when an
// established connection broke before its answer began. Everything else is a
// reason to ask the next master, not the same one.
func brokenConnection(ctx context.Context, _ *http.Response, err error) (bool, error) {
	broken := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	return broken && ctx.Err() == nil, nil
}

// Apps returns all apps with their tasks, and the pods after them if they are wanted. It
// asks one master after the other until one answers well: with status 200 and a complete
// list. It blocks at most as long as every master takes to run into its deadline. Its
// error holds those of all attempts; errors.Is finds ErrUnauthorized if one of them
// refused, and a later retry may always help.
func (c *Client) Apps(ctx context.Context) (Answer, error) { return c.AppsElsewhere(ctx, "") }

// AppsElsewhere is Apps, but asks the master at one address, as Answer.Master gives it,
// last: what one says that is hard to believe, another one may not.
func (c *Client) AppsElsewhere(ctx context.Context, master string) (Answer, error) {
	var apps []App
	answer, err := c.ask(ctx, question{path: "/v2/apps", last: master, read: func(body io.Reader) (err error) {
		apps, err = DecodeApps(body)
		return err
	}})
	if err != nil {
		return Answer{}, fmt.Errorf("get apps: %w", err)
	}
	answer.Apps = apps
	if c.cfg.Pods {
		return c.withPods(ctx, answer, master)
	}
	return answer, nil
}

// App returns one app with its tasks, on the terms of Apps. An answer whose digest is
// known is not read: then Apps is empty. The error is ErrNotFound if Marathon says that
// there is no such app. It is asked for as a pod if the last answer of Apps had it as one.
func (c *Client) App(ctx context.Context, id string, known uint64) (Answer, error) {
	if c.isPod(id) {
		return c.pod(ctx, id, known)
	}
	var apps []App
	var digest uint64
	path := "/v2/apps/" + strings.TrimLeft(id, "/")
	answer, err := c.ask(ctx, question{path: path, missing: ErrNotFound, read: func(body io.Reader) error {
		return c.read(body, func(text []byte) error {
			if digest = maphash.Bytes(c.seed, text); digest == known {
				return nil
			}
			app, err := DecodeApp(text)
			apps = []App{app}
			return cmp.Or(err, asked(id, app))
		})
	}})
	if err != nil {
		return Answer{}, fmt.Errorf("get app %s: %w", id, err)
	}
	answer.Apps, answer.Digest = apps, digest
	return answer, nil
}

// read calls take with all of a body, whose memory is used again afterwards.
func (c *Client) read(body io.Reader, take func(text []byte) error) error {
	text, _ := c.texts.Get().(*bytes.Buffer)
	if text == nil {
		text = &bytes.Buffer{}
	}
	defer func() {
		if text.Cap() <= keepSize {
			text.Reset()
			c.texts.Put(text)
		}
	}()
	if _, err := text.ReadFrom(body); err != nil {
		return err
	}
	return take(text.Bytes())
}

// asked returns an error for an app that is not what was asked for: another one, or one
// without its tasks, which Marathon's answer about one app always has.
func asked(id string, app App) error {
	switch {
	case app.Fault != "": // the list will say what becomes of it
		return nil
	case app.ID != id:
		return fmt.Errorf("it is about %s", excerpt(app.ID))
	case app.Tasks == nil:
		return errors.New("it does not speak of tasks")
	}
	return nil
}

// question is what is asked of the masters.
type question struct {
	path string
	// read takes the body in and says whether it is an answer.
	read func(body io.Reader) error
	// missing is what a 404 in Marathon's own words means; nil means an error
	// like any other. A proxy that knows no such path says it in HTML.
	missing error
	// last is the address of the master that is asked after all others; empty: none.
	last string
	// unknownRoute says that an answer to an unknown path means missing as well.
	unknownRoute bool
}

// ask puts one question to the masters in order until one answers it.
func (c *Client) ask(ctx context.Context, q question) (Answer, error) {
	var failures attemptErrors
	masters := c.masters.order()
	slices.SortStableFunc(masters, func(a, b master) int { return cmp.Compare(rank(a, q.last), rank(b, q.last)) })
	for _, m := range masters {
		began := time.Now()
		bytes, err := c.get(ctx, m, q)
		if ctx.Err() != nil {
			return Answer{}, context.Cause(ctx)
		}
		c.metrics.fetched(time.Since(began), bytes, err)
		if err == nil || q.missing != nil && errors.Is(err, q.missing) {
			c.masters.answered(m)
			return Answer{Master: m.String(), Began: began, Received: time.Now(), Bytes: bytes}, err
		}
		c.masters.failed(m, err)
		failures = append(failures, fmt.Errorf("%s: %w", m, err))
	}
	if errors.Is(failures, errNoAnswer) {
		c.headerWait.Store(min(2*c.headerWait.Load(), int64(max(c.cfg.ReadTimeout, c.cfg.HeaderTimeout))))
	}
	return Answer{}, failures
}

// rank puts the master at an address behind all others.
func rank(m master, last string) int {
	if m.String() == last {
		return 1
	}
	return 0
}

// get puts a question to one master and returns how many bytes of the body came
// over the wire.
func (c *Client) get(ctx context.Context, m master, q question) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(c.cfg.ConnectTimeout+time.Duration(c.headerWait.Load()), func() { cancel(errNoAnswer) })
	defer limit.Stop()

	target := m.endpoint(q.path, url.Values{"embed": c.embeds()})
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return 0, plainError(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept-Encoding", "gzip") // by hand, so that the wire's bytes can be counted
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, cmp.Or(context.Cause(ctx), plainError(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if time.Since(began) <= c.cfg.HeaderTimeout {
		c.headerWait.Store(int64(c.cfg.HeaderTimeout))
	}
	if !limit.Stop() {
		return 0, errNoAnswer
	}
	limit = time.AfterFunc(c.cfg.ReadTimeout, func() { cancel(errSlowAnswer) })
	defer limit.Stop()
	idle := time.AfterFunc(c.cfg.IdleTimeout, func() { cancel(errStalledAnswer) })
	defer idle.Stop()

	if err = q.checkStatus(resp); err != nil {
		return 0, err
	}
	wire := &meteredReader{r: resp.Body, idle: idle, limit: c.cfg.IdleTimeout}
	err = decompress(resp, wire, c.cfg.MaxBody, &c.unpackers, q.read)
	if err != nil {
		return wire.bytes, cmp.Or[error](context.Cause(ctx), &bodyError{err})
	}
	return wire.bytes, nil
}

// embeds returns what apps are to be answered with (contract 2.1).
func (c *Client) embeds() []string {
	if c.cfg.Readiness {
		return []string{"apps.tasks", "apps.readiness"}
	}
	return []string{"apps.tasks"}
}

// checkStatus returns an error for every status but 200.
func (q question) checkStatus(resp *http.Response) error {
	switch {
	case resp.StatusCode == http.StatusOK:
		return nil
	case resp.StatusCode == http.StatusNotFound && q.missing != nil && mediaType(resp) == "application/json":
		return q.missing
	case q.unknownRoute && isUnknownRoute(resp):
		return q.missing
	default:
		return &StatusError{Status: resp.StatusCode}
	}
}

// findLeader asks who leads if nobody knows and it would make a difference. It is
// an attempt: without an answer the order stays as it is.
func (c *Client) findLeader(ctx context.Context) {
	if len(c.masters.list) < 2 || c.masters.leaderKnown() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	for _, m := range c.masters.order() {
		if c.askLeader(ctx, m) == nil || ctx.Err() != nil {
			return
		}
	}
}

// askLeader gives one master its share of the time, so that one that hangs leaves some
// to the others.
func (c *Client) askLeader(ctx context.Context, m master) error {
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout/time.Duration(len(c.masters.list)))
	defer cancel()
	return c.sender.askLeader(ctx, m)
}
