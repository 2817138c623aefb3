package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

// kernel is a folder with the given parameters, empty.
func kernel(t *testing.T, paths ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, path := range paths {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestSysctlNames(t *testing.T) {
	t.Parallel()
	for word, path := range map[string]string{
		"net.core.somaxconn=1024":               "net/core/somaxconn",
		"net/core/somaxconn=1024":               "net/core/somaxconn",
		"net.ipv4.conf.eth0/1.rp_filter=1024":   "net/ipv4/conf/eth0.1/rp_filter",
		"net/ipv4/conf/eth0.1/rp_filter=1024":   "net/ipv4/conf/eth0.1/rp_filter",
		"net.ipv4.ip_local_port_range=1024=and": "net/ipv4/ip_local_port_range",
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			root := kernel(t, path)
			if err := setSysctls(root, []string{word}, true, zap.NewNop()); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			_, value, _ := strings.Cut(word, "=")
			if diff := cmp.Diff(value+"\n", string(text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSysctlThatCannotBeSet(t *testing.T) {
	t.Parallel()
	for word, says := range map[string]string{
		"no.such=1":         "there is no no.such",
		"net.core":          `"net.core" is not key=value`,
		"=1":                "is not key=value",
		"/../outside=1":     "is not key=value",
		"net/../../other=1": "is not key=value",
		"net=1":             "set kernel parameter net:",
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			root := kernel(t, "net/core", "last")
			words := []string{word, "last=1"}
			if err := setSysctls(root, words, true, zap.NewNop()); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("error %v, want %q", err, says)
			}
			if err := setSysctls(root, words, false, zap.NewNop()); err != nil {
				t.Errorf("error %v though it need not work", err)
			}
			if text, err := os.ReadFile(filepath.Join(root, "last")); err != nil || string(text) != "1\n" {
				t.Errorf("the next one: %q, %v", text, err)
			}
		})
	}
}

func FuzzSysctlStaysBelowItsRoot(f *testing.F) {
	for _, word := range []string{"a.b=1", "a/../b=1", "../x=1", "..../x=1", "//x=1"} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		top := t.TempDir()
		root, outside := filepath.Join(top, "root"), filepath.Join(top, "x")
		if err := os.Mkdir(root, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(outside, []byte("as it was"), 0o600); err != nil {
			t.Fatal(err)
		}
		if setSysctl(root, word) == nil {
			t.Errorf("%q was set in an empty folder", word)
		}
		if text, err := os.ReadFile(outside); err != nil || string(text) != "as it was" {
			t.Errorf("%q changed what is outside", word)
		}
	})
}
