package main

import (
	"slices"
	"testing"
)

// No service may bind a port on which mlb itself listens (D31).
func TestEveryListenerOfMlbIsClaimed(t *testing.T) {
	t.Parallel()
	cfg := Config{
		HTTP: BindAddress{"*", 80}, HTTPS: BindAddress{"*", 443}, AppID: BindAddress{"*", 9091}, Stats: BindAddress{"*", 9090},
		AdminListen: "127.0.0.1:9095",
	}
	own := newClaims(cfg).Own
	for _, want := range []string{"*:80", "*:443", "*:9091", "*:9090", "127.0.0.1:9095"} {
		if !slices.Contains(own, want) {
			t.Errorf("own listeners %q lack %s", own, want)
		}
	}
	cfg.DontBindHTTPAndHTTPS = true
	if own := newClaims(cfg).Own; slices.Contains(own, "*:80") {
		t.Errorf("own listeners %q: port 80 is not bound", own)
	}
}

// Files of bind options may be where the operator's certificates are (contract 10.3).
func TestFoldersOfCertificates(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	got := certificateFolders([]string{"/etc/ssl/cert.pem", folder, "/certs/a.pem", "/certs/b.pem", "/root.pem"})
	if want := []string{"/etc/ssl", folder, "/certs"}; !slices.Equal(got, want) {
		t.Errorf("folders %q, want %q", got, want)
	}
}
