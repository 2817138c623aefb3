package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestD3VaultAddressOfTheEnvironment(t *testing.T) {
	t.Parallel()
	three := []string{"VAULT_HOST=vault.example", "VAULT_PORT=8200", "VAULT_PATH=secret/marathon"}
	cases := []struct {
		rule    string
		environ []string
		want    string
	}{
		{"host, port and path", three, "https://vault.example:8200/v1/secret/marathon"},
		{"no second version in the path", []string{"VAULT_HOST=h", "VAULT_PORT=1", "VAULT_PATH=/v1/secret/data/x/"}, "https://h:1/v1/secret/data/x"},
		{"a scheme in the host", []string{"VAULT_HOST=http://h", "VAULT_PORT=1", "VAULT_PATH=x"}, "http://h:1/v1/x"},
		{"an IPv6 address", []string{"VAULT_HOST=::1", "VAULT_PORT=1", "VAULT_PATH=x"}, "https://[::1]:1/v1/x"},
		{"a whole address wins", append([]string{"VAULT_URL=http://other/v1/y"}, three...), "http://other/v1/y"},
		{"a whole address is enough", []string{"VAULT_URL=https://other/v1/y"}, "https://other/v1/y"},
		{"one of three is missing", three[1:], ""},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			if got := loadContainer(t, append([]string{"VAULT_TOKEN=hush"}, c.environ...)).Vault.URL; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := loadContainer(t, c.environ).Vault.URL; got != "" {
				t.Errorf("%q without a token", got)
			}
			if got := load(t, append([]string{"VAULT_TOKEN=hush"}, c.environ...)).Vault.URL; got != "" {
				t.Errorf("%q outside the container form", got)
			}
		})
	}
}

// vaultServer answers over TLS with each answer in turn and then with the last, if
// the token is right.
func vaultServer(t *testing.T, answers ...http.HandlerFunc) (server *httptest.Server, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(requests.Add(1))
		if r.Header.Get("X-Vault-Token") != "hush" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	return server, requests
}

// body answers with a text.
func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// caFile is a file with the certificate of a server.
func caFile(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestD3VaultCredentials(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	away := http.RedirectHandler("https://stranger.example/", http.StatusTemporaryRedirect).ServeHTTP
	cases := []struct {
		rule    string
		answers []http.HandlerFunc
		token   string
		want    Credentials
		err     string
	}{
		{"in data", []http.HandlerFunc{body(`{"data":{"user":"joe","pass":"a:b"}}`)}, "hush", Credentials{"joe", NewSecret("a:b")}, ""},
		{"in data of data", []http.HandlerFunc{body(`{"data":{"data":{"user":"joe","pass":"x"},"metadata":{}}}`)}, "hush", Credentials{"joe", NewSecret("x")}, ""},
		{"after Vault was busy", []http.HandlerFunc{busy, body(`{"data":{"user":"joe","pass":"x"}}`)}, "hush", Credentials{"joe", NewSecret("x")}, ""},
		{"a wrong token", []http.HandlerFunc{body("")}, "quiet", Credentials{}, "answer 403 Forbidden"},
		{"a redirect is not followed", []http.HandlerFunc{away}, "hush", Credentials{}, "answer 307"},
		{"no JSON", []http.HandlerFunc{body("hush hush")}, "hush", Credentials{}, "not a secret in JSON"},
		{"no password", []http.HandlerFunc{body(`{"data":{"user":"hush hush"}}`)}, "hush", Credentials{}, "lacks the field user or pass"},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			server, _ := vaultServer(t, c.answers...)
			got, err := Vault{URL: server.URL + "/v1/x", Token: NewSecret(c.token)}.credentials(t.Context(), caFile(t, server))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err == nil) != (c.err == "") {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), server.URL) || strings.Contains(err.Error(), "hush")) {
				t.Errorf("error %v, want the address and %q and no secret", err, c.err)
			}
		})
	}
}

func TestD3VaultIsVerified(t *testing.T) {
	t.Parallel()
	server, requests := vaultServer(t, body(`{"data":{"user":"joe","pass":"x"}}`))
	vault := Vault{URL: server.URL, Token: NewSecret("hush")}
	if _, err := vault.credentials(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v, want one about the certificate", err)
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func FuzzVaultAnswer(f *testing.F) {
	f.Add([]byte(`{"data":{"user":"joe","pass":"x"}}`))
	f.Add([]byte(`{"data":{"data":{"user":"joe","pass":"x"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseVaultAnswer(text)
		if (err == nil) != (got.User != "" && !got.Password.Empty()) {
			t.Errorf("%v with error %v", got, err)
		}
	})
}
