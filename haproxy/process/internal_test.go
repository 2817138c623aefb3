package process

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestParseFeatures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		output string
		want   Features
	}{
		"2.6": {
			"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nFeature list : -51DEGREES +LUA +OPENSSL +PROMEX -QUIC\n",
			Features{Version: "2.6.12-1+deb12u4", Major: 2, Minor: 6, Exporter: true, Lua: true, OpenSSL: true},
		},
		"3.2 with another TLS library and nothing else": {
			"HAProxy version 3.2.1 2025/06/10 - https://haproxy.org/\nFeature list : -LUA +OPENSSL_AWSLC -PROMEX\n",
			Features{Version: "3.2.1", Major: 3, Minor: 2, OpenSSL: true},
		},
		"a development version": {
			"HAProxy version 3.4-dev2-1234abc 2026/01/10 - https://haproxy.org/\n",
			Features{Version: "3.4-dev2-1234abc", Major: 3, Minor: 4},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseFeatures(tc.output)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("features (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := parseFeatures("something else\n"); err == nil {
		t.Error("no error for other output")
	}
}

func TestParseBind(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"*:80":             "0.0.0.0:80",
		":80":              "0.0.0.0:80",
		"127.0.0.1:80":     "127.0.0.1:80",
		"[::]:80":          "[::]:80",
		":::80":            "[::]:80",
		"ipv6@:80":         "[::]:80",
		"ipv6@[::1]:80":    "[::1]:80",
		"ipv4@10.0.0.1:80": "10.0.0.1:80",
		"*:80-82":          "0.0.0.0:80 0.0.0.0:81 0.0.0.0:82",
		"unix@/a:80":       "", "/a/b.sock": "", "abns@x": "", "fd@3": "", "example.com:80": "",
		"*": "", "*:": "", "*:0": "", "*:65536": "", "*:82-80": "", "*:http": "", "*:-1": "",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			addrs, err := parseBind(text)
			var got []string
			for _, a := range addrs {
				got = append(got, a.String())
			}
			if strings.Join(got, " ") != want || errors.Is(err, ErrBindAddress) != (want == "") {
				t.Errorf("parseBind(%q) = %v, %v, want %q", text, got, err, want)
			}
		})
	}
}

func TestParseListeners(t *testing.T) {
	t.Parallel()
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:AAAA 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 444 1 0 100 0 0 10 0
`
	for addr, want := range map[string][]string{
		"127.0.0.1:8080": {"111"}, "127.0.0.2:8080": nil, "0.0.0.0:8080": {"111", "444"},
		"127.0.0.9:80": {"222"}, "[::1]:8080": {"444"}, "[::]:80": {"222"}, "127.0.0.1:81": nil,
	} {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, inTheWay(parseListeners(table), netip.MustParseAddrPort(addr), false)); diff != "" {
				t.Errorf("inodes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pids")
	if ids, err := readRecord(path); err != nil || ids != nil {
		t.Errorf("no file: %v, %v", ids, err)
	}
	self, ok := identify(os.Getpid())
	if !ok {
		t.Fatal("this process has no identity")
	}
	reused := identity{self.pid, self.start + 1, self.name}
	renamed := identity{self.pid, self.start, "other"}
	want := []identity{self, reused, renamed}
	if err := writeRecord(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(identity{})); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]identity{self}, new(Process).stillThere(got), cmp.AllowUnexported(identity{})); diff != "" {
		t.Errorf("a process id alone was believed (-want +got):\n%s", diff)
	}
	if ids := parseRecord("1 5 init\nx y z\n7\n-3 4 x\n8 9 a b\n"); len(ids) != 1 || ids[0].name != "a b" {
		t.Errorf("bad lines: %v", ids)
	}
}

func TestChildEnvironment(t *testing.T) {
	t.Parallel()
	got := childEnvironment([]string{"PATH=/bin", "HAPROXY_MWORKER_REEXEC=1", "HAPROXY_PROCESSES=x", "HAPROXY_GROUP=internal"})
	if diff := cmp.Diff([]string{"PATH=/bin", "HAPROXY_GROUP=internal"}, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestMessagesArePassedOnOnceAndTheFileStaysSmall(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.DebugLevel)
	m := &messages{path: filepath.Join(t.TempDir(), "messages"), log: zap.New(core)}
	m.pass() // there is no file yet
	f, err := m.open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a test's file
	write := func(s string) {
		if _, err := f.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	write("[ALERT]    (1) : backend 'b' has no server available!\n[NOTICE]   (1) : half a ")
	m.pass()
	write("line\n")
	m.pass()
	m.pass()
	var got []string
	for _, e := range logs.TakeAll() {
		got = append(got, e.Level.String()+" "+e.Message+" "+e.ContextMap()["text"].(string))
	}
	want := []string{"warn haproxy alert backend 'b' has no server available!", "debug haproxy notice half a line"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	write(strings.Repeat(strings.Repeat("x", 99)+"\n", maxMessages/100+1))
	m.pass()
	if n := logs.FilterMessage("haproxy message").Len(); n != maxMessages/100+1 {
		t.Errorf("%d lines passed on, want %d", n, maxMessages/100+1)
	}
	mark := m.mark()
	if mark != 0 {
		t.Errorf("file has %d bytes after it was too long", mark)
	}
	write("next\n")
	if got := m.since(mark); got != "next" {
		t.Errorf("since = %q", got)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStat(7, b); err == nil && s.pid != 7 {
			t.Errorf("process id %d", s.pid)
		}
	})
}
