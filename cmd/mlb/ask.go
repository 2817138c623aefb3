package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// defaultSocketDir is where the sockets are unless the command line says otherwise.
const defaultSocketDir = "/var/run/haproxy"

// socketVariable is that option's variable. HAProxy gets it too, for lua/mlb.lua.
const socketVariable = "MLB_SOCKET_DIR"

// askTimeout bounds one question to a running mlb.
const askTimeout = 5 * time.Second

// askHealth asks a running mlb at its socket whether it is alive, or with --ready
// whether its routes can be relied on, prints the answer and fails unless it is
// good.
func askHealth(ctx context.Context, args []string, stdout io.Writer) error {
	flags, dir := askFlags("mlb health")
	ready := flags.Bool("ready", false, "ask for readiness instead of liveness")
	if done, err := parseWords(flags, "", args, stdout); done {
		return err
	}
	path := "/_mlb/live"
	if *ready {
		path = "/_mlb/ready"
	}
	return ask(ctx, *dir, http.MethodGet, path, stdout)
}

// askReload asks a running mlb at its socket to reload HAProxy and prints the answer.
// It does not wait for the reload.
func askReload(ctx context.Context, args []string, stdout io.Writer) error {
	flags, dir := askFlags("mlb reload")
	if done, err := parseWords(flags, "", args, stdout); done {
		return err
	}
	return ask(ctx, *dir, http.MethodPost, "/_mlb/reload", stdout)
}

// askRelease asks a running mlb at its socket to believe the next answer of Marathon that
// repeats what is held back, and prints the answer. It fails if nothing is held back.
func askRelease(ctx context.Context, args []string, stdout io.Writer) error {
	flags, dir := askFlags("mlb release")
	if done, err := parseWords(flags, "", args, stdout); done {
		return err
	}
	return ask(ctx, *dir, http.MethodPost, "/_mlb/release", stdout)
}

// askFlags returns the flags of a question, with the folder of the socket among them.
func askFlags(name string) (flags *pflag.FlagSet, dir *string) {
	flags = pflag.NewFlagSet(name, pflag.ContinueOnError)
	return flags, flags.String("socket-dir", orElse(os.Getenv(socketVariable), defaultSocketDir), "folder of the sockets")
}

// parseWords reads the flags and words of a command that has flags of its own. It is
// done if they ask for help, which it prints, or are wrong. words is how the help
// calls the words; empty if there may be none.
func parseWords(flags *pflag.FlagSet, words string, args []string, stdout io.Writer) (done bool, err error) {
	flags.SetOutput(stdout)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stdout, strings.TrimSpace("usage: "+flags.Name()+" [FLAGS] "+words)+"\n"+strings.TrimSuffix(flags.FlagUsages(), "\n"))
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return true, nil
	case err != nil:
		return true, usageError(fmt.Errorf("%s: %w", flags.Name(), err))
	case words == "" && flags.NArg() > 0:
		return true, usageError(fmt.Errorf("%s: unexpected word %q", flags.Name(), flags.Arg(0)))
	}
	return false, nil
}

// ask sends one request to the mlb whose socket is in dir and prints the answer. It
// fails unless the answer is a good one; of one that is a sentence, the error is all that
// is said.
func ask(ctx context.Context, dir, method, path string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	socket := filepath.Join(dir, "mlb.sock")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, method, "http://mlb"+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return unanswered(socket, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read mlb's answer: %w", err)
	}
	good := resp.StatusCode/100 == 2
	if !good && resp.Header.Get("Content-Type") == "text/plain" {
		return errors.New(strings.TrimSpace(string(text)))
	}
	if _, err := stdout.Write(text); err != nil {
		return fmt.Errorf("print mlb's answer: %w", err)
	}
	if !good {
		return fmt.Errorf("%s answered %s", path, resp.Status)
	}
	return nil
}

// unanswered says why the mlb at a socket gave no answer.
func unanswered(socket string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no mlb seems to run here, nobody listens at %s (--socket-dir)", socket)
	}
	// What wraps the cause names a URL that nobody typed, and the socket again.
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if wrapped, ok := errors.AsType[*net.OpError](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("ask mlb at %s: %w", socket, err)
}

// orElse returns the first text that is not empty.
func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
