package process_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mlb/haproxy/process"
	"mlb/test/haproxytest"
)

const defaults = "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := haproxytest.Dir(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good.cfg", defaults+"listen l\n  bind 127.0.0.1:1\n")
	for name, tc := range map[string]struct {
		files []string
		want  []process.Message // alerts; Text is not compared
		err   error
	}{
		"good files pass": {files: []string{good, file("empty.cfg", "\n")}},
		"a bad line is named with file, line and section": {
			files: []string{good, file("bad.cfg", "backend app\n  http-request set-header\n")},
			want:  []process.Message{{File: filepath.Join(dir, "bad.cfg"), Line: 2, Proxies: []string{"app"}}},
		},
		"a bad server is named with its section": {
			files: []string{good, file("server.cfg", "backend app\n  server a 127.0.0.1:99999999\n")},
			want:  []process.Message{{File: filepath.Join(dir, "server.cfg"), Line: 2, Proxies: []string{"app"}}},
		},
		"a missing backend is named with the section that refers to it": {
			files: []string{file("ref.cfg", defaults+"frontend f\n  bind 127.0.0.1:1\n  default_backend none\n")},
			want:  []process.Message{{Proxies: []string{"f"}}},
		},
		"a crash over a line counts as its refusal": {
			files: []string{file("flag.cfg", defaults+"frontend f\n  bind 127.0.0.1:1\n  acl h req.hdr(host) -i -f\n")},
			want:  []process.Message{{File: filepath.Join(dir, "flag.cfg"), Line: 8}},
		},
		"no listener is no bad file": {files: []string{file("none.cfg", defaults)}, err: process.ErrNoListener},
		"a missing file is refused":  {files: []string{filepath.Join(dir, "missing")}, want: []process.Message{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := process.Check(t.Context(), haproxytest.Binary(t), tc.files...)
			if tc.want == nil {
				if !errors.Is(err, tc.err) {
					t.Errorf("Check = %v, want %v", err, tc.err)
				}
				return
			}
			var refused *process.CheckError
			if !errors.As(err, &refused) {
				t.Fatalf("Check = %v, want a CheckError", err)
			}
			var got []process.Message
			for _, m := range refused.Messages {
				summary := strings.Contains(m.Text, "rror(s) found") || strings.Contains(m.Text, "errors found")
				if m.Level == "ALERT" && !summary {
					got = append(got, m)
				}
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(process.Message{}, "Level", "Text")); diff != "" {
				t.Errorf("alerts (-want +got):\n%s\n%s", diff, refused.Output)
			}
		})
	}
}

func TestCheckWithoutAVerdict(t *testing.T) {
	t.Parallel()
	dir := haproxytest.Dir(t)
	for name, body := range map[string]string{
		"a crash":               "kill -SEGV $$",
		"another exit status":   "exit 3",
		"no end before the end": "exec sleep 1000",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sub := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if err := os.Mkdir(sub, 0o700); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := process.Check(ctx, script(t, sub, body), "any")
			var refused *process.CheckError
			if !errors.Is(err, process.ErrCheckUnknown) || errors.As(err, &refused) {
				t.Errorf("Check = %v, want ErrCheckUnknown", err)
			}
		})
	}
	if err := process.Check(t.Context(), filepath.Join(dir, "missing"), "any"); !errors.Is(err, process.ErrCheckUnknown) {
		t.Errorf("Check without a binary = %v", err)
	}
}

func TestParseMessages(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		output string
		want   []process.Message
	}{
		"a place, several sections": {
			"[ALERT]    (12) : config : parsing [a/b.cfg:10] : proxy 'f', another server named 'a' was already defined in backend 'b'\n",
			[]process.Message{{
				Level: "ALERT", File: "a/b.cfg", Line: 10, Proxies: []string{"b", "f"},
				Text: "parsing [a/b.cfg:10] : proxy 'f', another server named 'a' was already defined in backend 'b'",
			}},
		},
		"a server stands for its section": {
			"[ALERT]    (12) : config : [c:14] : 'server b/a' : unable to find required proxy 'q' for tracking.\n",
			[]process.Message{{
				Level: "ALERT", File: "c", Line: 14, Proxies: []string{"b", "q"},
				Text: "[c:14] : 'server b/a' : unable to find required proxy 'q' for tracking.",
			}},
		},
		"no place": {
			"[WARNING]  (12) : config : Proxy 'b': unable to find stick-table 'x'.\n",
			[]process.Message{{Level: "WARNING", Proxies: []string{"b"}, Text: "Proxy 'b': unable to find stick-table 'x'."}},
		},
		"a message of several lines": {
			"noise\n[ALERT]    (12) : config : parsing [c:2]: unmatched quote at position 11:\n  server a \"foo\n           ^\n",
			[]process.Message{{
				Level: "ALERT", File: "c", Line: 2,
				Text: "parsing [c:2]: unmatched quote at position 11:\n  server a \"foo\n           ^",
			}},
		},
		"nothing": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, process.ParseMessages(tc.output)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseMessages(f *testing.F) {
	f.Add("[ALERT]    (12) : config : parsing [a/b.cfg:10] : proxy 'f', in backend 'b' 'server x/y'\n  more\n")
	f.Add("[NOTICE] (1) : [:99999999999999999999]")
	f.Fuzz(func(t *testing.T, output string) {
		for _, m := range process.ParseMessages(output) {
			if m.Line < 0 || (m.File == "") != (m.Line == 0) && m.Line != 0 {
				t.Errorf("place %q line %d", m.File, m.Line)
			}
			for _, p := range m.Proxies {
				if p == "" || strings.ContainsAny(p, " '\n") {
					t.Errorf("section name %q", p)
				}
			}
		}
	})
}

func TestProbe(t *testing.T) {
	t.Parallel()
	got, err := process.Probe(t.Context(), haproxytest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if !got.AtLeast(2, 6) || got.AtLeast(99, 0) || !strings.HasPrefix(got.Version, "2.") && !strings.HasPrefix(got.Version, "3.") {
		t.Errorf("Probe = %+v", got)
	}
	if _, err := process.Probe(t.Context(), "no-such-haproxy"); !errors.Is(err, process.ErrMissing) || !strings.Contains(err.Error(), "2.6") {
		t.Errorf("Probe of a missing binary = %v", err)
	}
	old := script(t, haproxytest.Dir(t), "echo 'HA-Proxy version 2.2.9-2+deb11u6 2023/12/21 - https://haproxy.org/'")
	if _, err := process.Probe(t.Context(), old); !errors.Is(err, process.ErrTooOld) || !strings.Contains(err.Error(), "2.2.9") || !strings.Contains(err.Error(), "2.6") {
		t.Errorf("Probe of an old binary = %v", err)
	}
}
