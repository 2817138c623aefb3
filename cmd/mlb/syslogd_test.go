package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lines hands on what is written to it.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	l <- string(text)
	return len(text), nil
}

// next is what was written next.
func (l lines) next(t *testing.T) string {
	t.Helper()
	select {
	case text := <-l:
		return text
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was written")
		return ""
	}
}

// copied starts a receiver that ends with the test.
func copied(t *testing.T, path string) lines {
	t.Helper()
	to := make(lines, 16)
	end, err := startSyslogd(path, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return to
}

// say sends messages to a socket.
func say(t *testing.T, path string, messages ...string) {
	t.Helper()
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it is written to only
	for _, m := range messages {
		if _, err := conn.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestD10SyslogdCopiesEachMessageAsALine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	to := copied(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v: others cannot send", info.Mode(), err)
	}
	long := strings.Repeat("x", 60<<10)
	say(t, path, "<134>Nov 25 haproxy[7]: one", "two\n", "three\x00", "", long)
	var got []string
	for range 5 {
		got = append(got, to.next(t))
	}
	if diff := cmp.Diff([]string{"<134>Nov 25 haproxy[7]: one\n", "two\n", "three\n", "\n", long + "\n"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestD10SyslogdTakesThePlaceOfOneThatEnded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	left, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = startSyslogd(path, make(lines)); err == nil || !strings.Contains(err.Error(), "somebody listens") {
		t.Errorf("error %v while somebody listens", err)
	}
	if err = left.Close(); err != nil {
		t.Fatal(err)
	}
	to := copied(t, path)
	say(t, path, "hello")
	if got := to.next(t); got != "hello\n" {
		t.Errorf("got %q", got)
	}
}

func TestD10SyslogdLeavesOtherFilesAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := startSyslogd(path, make(lines)); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("error %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

func TestD10SyslogdRemovesItsSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	end, err := startSyslogd(path, make(lines))
	if err != nil {
		t.Fatal(err)
	}
	end()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}
