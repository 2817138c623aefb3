package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
)

// defaultSocketDir is where the sockets are unless the command line says otherwise.
const defaultSocketDir = "/var/run/haproxy"

// healthTimeout bounds the question of "mlb health".
const healthTimeout = 5 * time.Second

// askHealth asks a running mlb at its socket whether it is alive, or with --ready
// whether its routes can be relied on, prints the answer and fails unless it is
// good.
func askHealth(ctx context.Context, args []string, stdout io.Writer) error {
	flags := pflag.NewFlagSet("mlb health", pflag.ContinueOnError)
	dir := flags.String("socket-dir", orElse(os.Getenv("MLB_SOCKET_DIR"), defaultSocketDir), "folder of the sockets")
	ready := flags.Bool("ready", false, "ask for readiness instead of liveness")
	if err := flags.Parse(args); err != nil {
		return usageError(err)
	}
	path := "/_mlb/live"
	if *ready {
		path = "/_mlb/ready"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(*dir, "mlb.sock"))
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://mlb"+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("ask mlb: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(stdout, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return fmt.Errorf("read mlb's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", path, resp.Status)
	}
	return nil
}

// orElse returns the first text that is not empty.
func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
