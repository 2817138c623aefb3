package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"mlb/haproxy"
)

// request is what is sent for a virtual host, and what is answered: the name of the
// backend by which it came.
type request struct{ send, want []byte }

// requests are one for each virtual host of a site.
func requests(hosts int) []request {
	out := make([]request, hosts)
	for i := range out {
		out[i] = request{
			send: fmt.Appendf(nil, "GET %s/basket?n=1 HTTP/1.1\r\nHost: %s\r\nUser-Agent: vhosts\r\nAccept: */*\r\n\r\n", path(i), hostName(i)),
			want: []byte(haproxy.BackendName(appID(i), firstService+i)),
		}
	}
	return out
}

// sample is what one measurement gave.
type sample struct {
	took      time.Duration
	latencies []time.Duration // of each request, sorted
}

// rate is the number of requests per second.
func (s sample) rate() float64 { return float64(len(s.latencies)) / s.took.Seconds() }

// percentile is the latency that the share p of all requests did not exceed.
func (s sample) percentile(p float64) time.Duration {
	if len(s.latencies) == 0 {
		return 0
	}
	return s.latencies[min(int(p*float64(len(s.latencies))), len(s.latencies)-1)]
}

// load sends requests in random order on several connections, each waiting for its
// answer before the next, until the time has passed.
func load(ctx context.Context, addr string, all []request, clients int, length time.Duration) (sample, error) {
	begin := time.Now()
	end := begin.Add(length)
	found := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { found[i], errs[i] = repeat(ctx, addr, all, end) })
	}
	wg.Wait()
	s := sample{took: time.Since(begin), latencies: slices.Concat(found...)}
	slices.Sort(s.latencies)
	return s, errors.Join(errs...)
}

// visit asks for each host twice, so that what the first request to a backend costs
// is not measured.
func visit(ctx context.Context, addr string, all []request) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // everything has been read
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	answers := bufio.NewReader(conn)
	for _, r := range slices.Concat(all, all) {
		if _, err := conn.Write(r.send); err != nil {
			return err
		}
		if err := r.read(answers); err != nil {
			return fmt.Errorf("answer to %.100q: %w", r.send, err)
		}
	}
	return nil
}

// repeat is one connection of load.
func repeat(ctx context.Context, addr string, all []request, end time.Time) ([]time.Duration, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // everything has been read
	// No answer takes that long; without a limit a lost one would end nothing.
	if err := conn.SetDeadline(end.Add(10 * time.Second)); err != nil {
		return nil, err
	}
	answers := bufio.NewReader(conn)
	var latencies []time.Duration
	for begin := time.Now(); begin.Before(end) && ctx.Err() == nil; {
		r := all[rand.IntN(len(all))]
		if _, err := conn.Write(r.send); err != nil {
			return latencies, err
		}
		if err := r.read(answers); err != nil {
			return latencies, fmt.Errorf("answer to %.100q: %w", r.send, err)
		}
		now := time.Now()
		latencies = append(latencies, now.Sub(begin))
		begin = now
	}
	return latencies, ctx.Err()
}

// read takes the answer in. It knows as much of HTTP as HAProxy's answers need, which
// leaves the processors to HAProxy.
func (r request) read(from *bufio.Reader) error {
	line, err := from.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("%q", line)
	}
	size := -1
	for {
		if line, err = from.ReadSlice('\n'); err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		if bytes.EqualFold(name, []byte("content-length")) {
			if size, err = strconv.Atoi(string(value)); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
		}
	}
	if size != len(r.want) {
		return fmt.Errorf("a body of %d bytes, want %q", size, r.want)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(from, body); err != nil {
		return err
	}
	if !bytes.Equal(body, r.want) {
		return fmt.Errorf("it came by the backend %q, want %q", body, r.want)
	}
	return nil
}
