package admin_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/admin"
	"mlb/test/haproxytest"
)

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// start runs a server until the test ends or stop is called, which returns what
// Run returned.
func start(t *testing.T, c admin.Config, v admin.View) (stop func() error) {
	t.Helper()
	s := admin.New(c, v, prometheus.NewRegistry(), zap.NewNop())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = s.Run(ctx)
	}()
	stop = func() error {
		cancel()
		<-ended
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// get sends one request over a new connection.
func get(t *testing.T, network, addr, path string) (string, error) {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://mlb"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	return body(t, r), nil
}

func waitFor(t *testing.T, network, addr string) {
	t.Helper()
	haproxytest.Eventually(t, "the server answers on "+addr, func() bool {
		got, err := get(t, network, addr, "/_mlb/live")
		return err == nil && got == `{"live":true}`+"\n"
	})
}

func TestServerAnswersOnSocketAndAddress(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(haproxytest.Dir(t), "mlb.sock")
	addr := haproxytest.FreeAddr(t)
	stop := start(t, admin.Config{Socket: socket, Listen: addr}, view{pids: []int{1, 2}})
	for network, a := range map[string]string{"unix": socket, "tcp": addr} {
		waitFor(t, network, a)
		if got, err := get(t, network, a, "/_haproxy_getpids"); err != nil || got != "1 2" {
			t.Errorf("%s: %q, %v", network, got, err)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	// Not at once: a process that another test forks has a copy until it executes.
	haproxytest.Eventually(t, "the address accepts no connections", func() bool { return !haproxytest.Connects(t, addr) })
}

func TestSocketIsForTheUserAndHAProxysGroup(t *testing.T) {
	t.Parallel()
	mine, err := user.LookupGroup("nogroup")
	if err != nil {
		t.Skip(err)
	}
	gid, err := strconv.Atoi(mine.Gid)
	if err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	tests := map[string]struct {
		group string
		mode  fs.FileMode
		gid   int
	}{
		"no group":      {"", 0o600, os.Getegid()},
		"unknown group": {"no-such-group", 0o600, os.Getegid()},
		"known group":   {"nogroup", 0o660, gid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !root {
				tt.mode, tt.gid = 0o600, os.Getegid()
			}
			socket := filepath.Join(haproxytest.Dir(t), "mlb.sock")
			start(t, admin.Config{Socket: socket, Group: tt.group}, view{})
			waitFor(t, "unix", socket)
			info, err := os.Stat(socket)
			if err != nil {
				t.Fatal(err)
			}
			st, ok := info.Sys().(*syscall.Stat_t)
			if !ok || info.Mode().Perm() != tt.mode || int(st.Gid) != tt.gid {
				t.Errorf("mode %o, group %d; want %o, %d", info.Mode().Perm(), st.Gid, tt.mode, tt.gid)
			}
		})
	}
}

// HAProxy's worker, which has given up root, reaches the socket through its group,
// and passes the answers on as they are.
func TestHAProxyForwardsToTheSocket(t *testing.T) {
	t.Parallel()
	if _, err := user.LookupGroup("haproxy"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and the group haproxy")
	}
	dir := haproxytest.Dir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket, addr := filepath.Join(dir, "mlb.sock"), haproxytest.FreeAddr(t)
	start(t, admin.Config{Socket: socket, Group: "haproxy"}, view{pids: []int{7, 8}})
	waitFor(t, "unix", socket)
	haproxytest.Start(t, "global\n  user haproxy\n  group haproxy\ndefaults\n  mode http\n  timeout connect 3s\n"+
		"  timeout client 3s\n  timeout server 3s\nlisten stats\n  bind "+addr+"\n  server mlb unix@"+socket+"\n")
	waitFor(t, "tcp", addr)
	if got, err := get(t, "tcp", addr, "/_haproxy_getpids"); err != nil || got != "7 8" {
		t.Errorf("through haproxy: %q, %v", got, err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(haproxytest.Dir(t), "mlb.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err = l.Close(); err != nil {
		t.Fatal(err)
	}
	// Not at once: a process that another test forks has a copy until it executes.
	haproxytest.Eventually(t, "nobody listens on the old socket", func() bool {
		var d net.Dialer
		c, dialErr := d.DialContext(t.Context(), "unix", socket)
		if dialErr == nil {
			dialErr = c.Close()
		}
		return errors.Is(dialErr, syscall.ECONNREFUSED)
	})
	start(t, admin.Config{Socket: socket}, view{})
	waitFor(t, "unix", socket)
}

func TestWhatSomebodyElseHoldsIsLeftAlone(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(haproxytest.Dir(t), "mlb.sock")
	start(t, admin.Config{Socket: socket}, view{})
	waitFor(t, "unix", socket)
	second := admin.New(admin.Config{Socket: socket}, view{}, prometheus.NewRegistry(), zap.NewNop())
	if err := second.Run(t.Context()); !errors.Is(err, admin.ErrInUse) {
		t.Errorf("the second server: %v, want ErrInUse", err)
	}
	waitFor(t, "unix", socket)

	file := filepath.Join(haproxytest.Dir(t), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := admin.New(admin.Config{Socket: file}, view{}, prometheus.NewRegistry(), zap.NewNop())
	if err := third.Run(t.Context()); err == nil {
		t.Error("a file was taken for a socket")
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "precious" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

func TestSocketOfASuccessorIsNotRemoved(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(haproxytest.Dir(t), "mlb.sock")
	stop := start(t, admin.Config{Socket: socket}, view{})
	waitFor(t, "unix", socket)
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	start(t, admin.Config{Socket: socket}, view{})
	waitFor(t, "unix", socket)
	if err := stop(); err != nil {
		t.Error(err)
	}
	waitFor(t, "unix", socket)
}

func TestTakenAddressIsAnErrorAndLeavesNoSocket(t *testing.T) {
	t.Parallel()
	l := haproxytest.Listen(t)
	socket := filepath.Join(haproxytest.Dir(t), "mlb.sock")
	s := admin.New(admin.Config{Socket: socket, Listen: l.Addr().String()}, view{}, prometheus.NewRegistry(), zap.NewNop())
	if err := s.Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Run: %v", err)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// slowView keeps an answer in progress until it is released.
type slowView struct {
	view
	entered, release chan struct{}
}

func (v slowView) Live() error {
	close(v.entered)
	<-v.release
	return nil
}

func TestAnswersInProgressAreFinished(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(haproxytest.Dir(t), "mlb.sock")
	v := slowView{entered: make(chan struct{}), release: make(chan struct{})}
	stop := start(t, admin.Config{Socket: socket}, v)
	haproxytest.Eventually(t, "the socket is there", func() bool {
		_, err := get(t, "unix", socket, "/_haproxy_getpids")
		return err == nil
	})
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := get(t, "unix", socket, "/_mlb/live")
		got <- answer{text, err}
	}()
	<-v.entered
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	haproxytest.Eventually(t, "no new connection is accepted", func() bool {
		_, err := os.Lstat(socket)
		return err != nil
	})
	close(v.release)
	if a := <-got; a.err != nil || a.text != `{"live":true}`+"\n" {
		t.Errorf("the answer in progress: %q, %v", a.text, a.err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSlowClientsDoNotHoldTheEndUp(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(haproxytest.Dir(t), "mlb.sock")
	stop := start(t, admin.Config{Socket: socket}, view{})
	waitFor(t, "unix", socket)
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // the server closes it
	if _, err = io.WriteString(c, "GET /_mlb/live HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err = stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > haproxytest.Deadline/2 {
		t.Errorf("Run took %s to end", took)
	}
}
