package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// request is what is sent for a virtual host, and the name of the backend by which
// the answer must come.
type request struct{ send, want []byte }

// fill makes it the request for a host, in the memory of the last one: thousands of
// kept requests would slow the client down for many hosts, not HAProxy.
func (r *request) fill(host, apps int) {
	r.send = fmt.Appendf(r.send[:0], "GET %s/basket?n=1 HTTP/1.1\r\nHost: ", path(host%apps))
	r.send = append(appendHost(r.send, host), "\r\nUser-Agent: vhosts\r\nAccept: */*\r\n\r\n"...)
	r.want = appendBackend(r.want[:0], host%apps)
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
func load(ctx context.Context, s site, clients int, length time.Duration) (sample, error) {
	begin := time.Now()
	end := begin.Add(length)
	found := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { found[i], errs[i] = repeat(ctx, s, end) })
	}
	wg.Wait()
	out := sample{took: time.Since(begin), latencies: slices.Concat(found...)}
	slices.Sort(out.latencies)
	return out, errors.Join(errs...)
}

// visit asks for each host twice, so that what the first request to a backend costs
// is not measured.
func visit(ctx context.Context, s site) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // everything has been read
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	answers := bufio.NewReader(conn)
	var r request
	for i := range 2 * s.hosts {
		r.fill(i%s.hosts, s.apps)
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
func repeat(ctx context.Context, s site, end time.Time) ([]time.Duration, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.addr)
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
	var r request
	for begin := time.Now(); begin.Before(end) && ctx.Err() == nil; {
		r.fill(rand.IntN(s.hosts), s.apps)
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
	size, right := -1, false
	for {
		if line, err = from.ReadSlice('\n'); err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if size, err = strconv.Atoi(string(value)); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
		case bytes.EqualFold(name, []byte(backendHeader)):
			if right = bytes.Equal(value, r.want); !right {
				return fmt.Errorf("it came by the backend %q, want %q", value, r.want)
			}
		}
	}
	if !right || size < 0 {
		return fmt.Errorf("an answer of %d bytes without %s, want both", size, backendHeader)
	}
	_, err = from.Discard(size)
	return err
}
