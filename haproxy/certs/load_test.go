package certs_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy/certs"
	"mlb/test/haproxytest"
)

// loadCase is a folder, a path in it, and what becomes of it.
type loadCase struct {
	files map[string]string
	path  string
	want  []string // relative to the folder
	bad   string   // part of the error; empty: none
}

func loadCases(t *testing.T) map[string]loadCase {
	t.Helper()
	certificate, key := pair(t)
	_, otherKey := pair(t)
	good := certificate + key
	return map[string]loadCase{
		"a file": {map[string]string{"a.pem": good}, "a.pem", []string{"a.pem"}, ""},
		"a key in a file of its own": {
			map[string]string{"a.pem": certificate, "a.pem.key": key}, "a.pem", []string{"a.pem"}, "",
		},
		"the key in the file goes before the one beside it": {
			map[string]string{"a.pem": good, "a.pem.key": otherKey}, "a.pem", []string{"a.pem"}, "",
		},
		"variants for kinds of keys": {
			map[string]string{"a.ecdsa": good, "a.rsa": good}, "a", []string{"a.rsa", "a.ecdsa"}, "",
		},
		"a kind of key that Go does not know": {
			map[string]string{"a.pem": brainpool(t)}, "a.pem", []string{"a.pem"}, "",
		},
		"a folder in order, without hidden and accompanying files": {
			map[string]string{
				"d/b": good, "d/a.pem": good, "d/.hidden": "x", "d/a.key": "x", "d/z.issuer": "x",
				"d/z.ocsp": "x", "d/z.sctl": "x", "d/sub/c.pem": "x",
			},
			"d",
			[]string{"d/a.pem", "d/b"},
			"",
		},
		"a folder with a bad file": {
			map[string]string{"d/a.pem": good, "d/notes.txt": "x"},
			"d",
			[]string{"d/a.pem", "d/notes.txt"},
			"d/notes.txt: no usable pair",
		},
		"an unreadable text":    {map[string]string{"a.pem": "x"}, "a.pem", []string{"a.pem"}, "a.pem: no usable pair"},
		"no key":                {map[string]string{"a.pem": certificate}, "a.pem", []string{"a.pem"}, "a.pem.key holds a private key"},
		"a key of another":      {map[string]string{"a.pem": certificate + otherKey}, "a.pem", []string{"a.pem"}, "does not match"},
		"a damaged certificate": {map[string]string{"a.pem": cut(t, certificate) + key}, "a.pem", []string{"a.pem"}, "certificate is damaged"},
		"a damaged key":         {map[string]string{"a.pem": certificate + cut(t, key)}, "a.pem", []string{"a.pem"}, "key is damaged"},
		"nothing":               {nil, "a.pem", nil, "a.pem: no such file"},
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for name, tt := range loadCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range tt.files {
				write(t, filepath.Join(dir, file), text)
			}
			files, err := certs.Load(filepath.Join(dir, tt.path))
			var got []string
			for _, f := range files {
				got = append(got, strings.TrimPrefix(f, dir+"/"))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if msg := fmt.Sprint(err); (err != nil) != (tt.bad != "") || !strings.Contains(msg, tt.bad) {
				t.Errorf("error %q, want %q", msg, tt.bad)
			}
			if unusable := tt.bad != "" && tt.files != nil; errors.Is(err, certs.ErrUnusable) != unusable {
				t.Errorf("errors.Is(%v, ErrUnusable) = %t", err, !unusable)
			}
		})
	}
}

func TestLoadTakesAnEmptyFolder(t *testing.T) {
	t.Parallel()
	if files, err := certs.Load(t.TempDir()); err != nil || len(files) > 0 {
		t.Errorf("Load = %v, %v", files, err)
	}
}

// What Load says of a path, a real HAProxy says too.
func TestLoadAgreesWithHAProxy(t *testing.T) {
	t.Parallel()
	binary := haproxytest.Binary(t)
	host := haproxytest.Host(t)
	for name, tt := range loadCases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range tt.files {
				write(t, filepath.Join(dir, file), text)
			}
			config := filepath.Join(dir, "haproxy.cfg")
			write(t, config, fmt.Sprintf("frontend f\n mode http\n timeout client 1s\n bind %s:4433 ssl crt %s\n",
				host, filepath.Join(dir, tt.path)))
			out, err := exec.CommandContext(t.Context(), binary, "-c", "-f", config).CombinedOutput()
			if (err != nil) != (tt.bad != "") {
				t.Errorf("haproxy -c: %v\n%s", err, out)
			}
		})
	}
}

func TestHAProxyTakesTheSelfSignedPair(t *testing.T) {
	t.Parallel()
	binary := haproxytest.Binary(t)
	dir := t.TempDir()
	path, config := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "haproxy.cfg")
	if _, err := certs.EnsureSelfSigned(path); err != nil {
		t.Fatal(err)
	}
	text := "frontend f\n mode http\n timeout client 1s\n bind " + haproxytest.Host(t) + ":4433 ssl crt " + path + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), binary, "-c", "-f", config).CombinedOutput(); err != nil {
		t.Errorf("haproxy -c: %v\n%s", err, out)
	}
}
