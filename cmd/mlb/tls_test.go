package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

func TestMistakesAboutTLSOfMarathon(t *testing.T) {
	t.Parallel()
	const both = "--marathon-client-cert and --marathon-client-key: both must be given, or neither"
	const host = "want the name or address of a host, without a port"
	for word, want := range map[string]string{
		"--marathon-client-cert=c":                 both,
		"--marathon-client-key=k":                  both,
		"--marathon-server-name=marathon:8443":     host,
		"--marathon-server-name=https://marathon":  host,
		"--marathon-server-name=":                  host,
		"--marathon-server-name=marathon.mesos":    "",
		"--marathon-server-name=2001:db8::1":       "",
		"--marathon-server-name=marathon_1.mesos.": host,
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			args := []string{"mlb", "once", "--group", "g", word}
			if want == "" {
				if _, err := Load(args, nil); err != nil {
					t.Error(err)
				}
				return
			}
			err := startError(t, args, nil)
			if len(err.Mistakes) != 1 || !strings.Contains(err.Error(), want) {
				t.Errorf("mistakes %v, want %s", err.Mistakes, want)
			}
		})
	}
}

func TestFilesForTLSThatCannotBeReadEndTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.pem")
	writePrivate(t, bad, "hush")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(map[string]string{
		"uid": "lb", "login_endpoint": "https://dcos.example/login",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
	account := string(document)
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"authorities":                       {[]string{"--marathon-ca-cert", bad}, []string{"--marathon-ca-cert: ", bad}},
		"authorities that DC/OS needs, too": {[]string{"--marathon-ca-cert", bad, "--dcos-auth-credentials", account}, []string{"--marathon-ca-cert: ", bad}},
		"no client certificate":             {[]string{"--marathon-client-cert", bad + "x", "--marathon-client-key", bad}, []string{"--marathon-client-cert", bad + "x"}},
		"a key that is none":                {[]string{"--marathon-client-cert", bad, "--marathon-client-key", bad}, []string{"--marathon-client-key: ", bad}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := newSources(t.Context(), load(t, nil, tt.args...), prometheus.NewRegistry(), zap.NewNop())
			if err == nil {
				all.close()
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("error %q tells what is in a file", err)
			}
		})
	}
}

func writePrivate(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// selfSigned returns a certificate for marathon.mesos, and its key, in PEM.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "marathon.mesos"}, DNSNames: []string{"marathon.mesos"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pair.Public(), pair)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// The same certificate serves both sides here.
func TestMarathonThatAsksForAClientCertificateIsRead(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(cert)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"apps":[{"id":"/a"}]}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: known}
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePrivate(t, certFile, string(cert))
	writePrivate(t, keyFile, string(key))
	all := []string{"--marathon-ca-cert", certFile, "--marathon-server-name", "marathon.mesos", "--marathon-client-cert", certFile, "--marathon-client-key", keyFile}
	for name, tt := range map[string]struct {
		args []string
		good bool
	}{
		"with all options":              {all, true},
		"not without the certificate":   {all[:4], false},
		"not without the server's name": {append(slices.Clone(all[:2]), all[4:]...), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sources, err := newSources(t.Context(), load(t, nil, append([]string{"-m", server.URL}, tt.args...)...), prometheus.NewRegistry(), zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			defer sources.close()
			if _, err = sources.each[0].client.Apps(t.Context()); (err == nil) != tt.good {
				t.Errorf("error %v, want success: %v", err, tt.good)
			}
		})
	}
}
