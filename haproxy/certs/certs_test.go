package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy/certs"
)

// pair makes a certificate and its key in PEM.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "www.example.com"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER)
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// cut removes the end of what a PEM block holds.
func cut(t *testing.T, text string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM")
	}
	return encode(block.Type, block.Bytes[:len(block.Bytes)/2])
}

// brainpool are a certificate and a key on the curve brainpoolP256r1, which
// OpenSSL knows and Go does not.
func brainpool(t *testing.T) string {
	t.Helper()
	return read(t, filepath.Join("testdata", "brainpool.pem"))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// content are the files below a folder with their modes.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() {
			found[strings.TrimPrefix(path, dir+"/")] = info.Mode().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEnsureSelfSignedMakesThePairOfTheContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "ssl", "cert.pem")
	before := time.Now().Truncate(time.Second)
	created, err := certs.EnsureSelfSigned(path)
	if err != nil || !created {
		t.Fatalf("EnsureSelfSigned = %t, %v", created, err)
	}
	text := read(t, path)
	if c, k := strings.Index(text, "BEGIN CERTIFICATE"), strings.Index(text, "BEGIN PRIVATE KEY"); c < 0 || k < c {
		t.Errorf("want the certificate, then the key:\n%s", text)
	}
	loaded, err := tls.X509KeyPair([]byte(text), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	key, ok := loaded.PrivateKey.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() != 2048 {
		t.Errorf("key is a %T", loaded.PrivateKey)
	}
	leaf := loaded.Leaf
	if got := leaf.Subject.String(); got != "CN=*" {
		t.Errorf("subject %q", got)
	}
	if leaf.NotBefore.Before(before) || !leaf.NotAfter.Equal(leaf.NotBefore.AddDate(0, 0, 3650)) {
		t.Errorf("valid from %s to %s", leaf.NotBefore, leaf.NotAfter)
	}
	if err = leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]string{"ssl/cert.pem": "-rw-------"}, content(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}

	created, err = certs.EnsureSelfSigned(path)
	if err != nil || created || read(t, path) != text {
		t.Errorf("the second call: %t, %v", created, err)
	}
}

func TestD4EnsureSelfSignedReplacesOnlyWhatIsNoPair(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t)
	_, otherKey := pair(t)
	encrypted := strings.ReplaceAll(key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
	tests := map[string]struct {
		text, keyText string
		want          bool
	}{
		"a pair stays":                                {certificate + key, "", false},
		"a pair with the key first stays":             {key + certificate, "", false},
		"a pair whose key is in its own file stays":   {certificate, key, false},
		"a pair of a kind unknown to Go stays":        {brainpool(t), "", false},
		"a pair with an encrypted key stays":          {certificate + encrypted, "", false},
		"an empty file is replaced":                   {"", "", true},
		"text is replaced":                            {"no certificate", "", true},
		"a certificate without a key is replaced":     {certificate, "", true},
		"a key without a certificate is replaced":     {key, "", true},
		"a key of another certificate is replaced":    {certificate + otherKey, "", true},
		"a wrong key in its own file is replaced":     {certificate, otherKey, true},
		"an empty key file is replaced":               {certificate, "\n", true},
		"a certificate that is cut off is replaced":   {cut(t, certificate) + key, "", true},
		"a private key that is cut off is replaced":   {certificate + cut(t, key), "", true},
		"the first of several keys is the one to fit": {certificate + otherKey + key, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "cert.pem")
			write(t, path, tt.text)
			if tt.keyText != "" {
				write(t, path+".key", tt.keyText)
			}
			created, err := certs.EnsureSelfSigned(path)
			if err != nil || created != tt.want {
				t.Fatalf("EnsureSelfSigned = %t, %v; want %t", created, err, tt.want)
			}
			if !created && read(t, path) != tt.text {
				t.Error("the file was changed")
			}
			if _, err = certs.Load(path); err != nil {
				t.Errorf("Load afterwards: %v", err)
			}
		})
	}
}

func TestEnsureSelfSignedReplacesALinkAndNotItsTarget(t *testing.T) {
	t.Parallel()
	certificate, _ := pair(t)
	for name, target := range map[string]string{"bundle of authorities": "bundle.crt", "nothing": "missing"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "bundle.crt"), certificate)
			path := filepath.Join(dir, "cert.pem")
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			created, err := certs.EnsureSelfSigned(path)
			if err != nil || !created {
				t.Fatalf("EnsureSelfSigned = %t, %v", created, err)
			}
			if got := read(t, filepath.Join(dir, "bundle.crt")); got != certificate {
				t.Errorf("the bundle became %s", got)
			}
			if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
		})
	}
}

func TestWhatIsNoFileIsAnErrorAndStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder, pipe := filepath.Join(dir, "folder"), filepath.Join(dir, "pipe")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, pipe, filepath.Join(dir, "cert.pem", "loop")} {
		if path != folder && path != pipe {
			write(t, filepath.Dir(path), "a file, no folder")
		}
		created, err := certs.EnsureSelfSigned(path)
		if created || err == nil || !strings.Contains(err.Error(), path) || errors.Is(err, certs.ErrUnusable) {
			t.Errorf("EnsureSelfSigned(%s) = %t, %v", path, created, err)
		}
		err = certs.WriteFiles([]certs.File{{Path: path, PEM: []byte("secret")}})
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "secret") {
			t.Errorf("WriteFiles(%s) = %v", path, err)
		}
	}
}

func TestWriteFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	same, other, open := filepath.Join(dir, "same.pem"), filepath.Join(dir, "other.pem"), filepath.Join(dir, "open.pem")
	write(t, same, "text 1")
	write(t, other, "old")
	write(t, open, "text 3")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	wasSame, wasOther := inode(t, same), inode(t, other)
	fresh := filepath.Join(dir, "new", "cert0.pem")
	err := certs.WriteFiles([]certs.File{
		{Path: same, PEM: []byte("text 1")},
		{Path: filepath.Join(same, "impossible"), PEM: []byte("text")},
		{Path: other, PEM: []byte("text 2")},
		{Path: open, PEM: []byte("text 3")},
		{Path: fresh, PEM: []byte("text 4")},
	})
	if err == nil || !strings.Contains(err.Error(), "same.pem/impossible") || strings.Contains(err.Error(), "other") {
		t.Errorf("error: %v", err)
	}
	want := map[string]string{
		"same.pem": "-rw-------", "other.pem": "-rw-------", "open.pem": "-rw-------", "new/cert0.pem": "-rw-------",
	}
	if diff := cmp.Diff(want, content(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for path, text := range map[string]string{same: "text 1", other: "text 2", open: "text 3", fresh: "text 4"} {
		if got := read(t, path); got != text {
			t.Errorf("%s holds %q, want %q", path, got, text)
		}
	}
	if inode(t, same) != wasSame {
		t.Error("a file that needed no change was replaced")
	}
	if inode(t, other) == wasOther {
		t.Error("a file was changed in place, not replaced")
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}
