package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Limits of the question to Vault. A Vault that is being restarted is waited for;
// then the start fails (D3).
const (
	vaultTimeout  = 10 * time.Second // one attempt
	vaultRetries  = 4
	vaultMinPause = 500 * time.Millisecond
	vaultMaxPause = 5 * time.Second
	vaultMaxBody  = 1 << 20
)

// Vault is the secret in HashiCorp's Vault that holds credentials for Marathon. The
// zero value is none.
type Vault struct {
	// URL is the address of the secret, with the version of the API in its path.
	URL string
	// Token is sent as X-Vault-Token.
	Token Secret
}

// vault returns where the environment says that credentials are (contract 1.4, D3).
// Without a token or an address there is nothing to ask. The error repeats no secret.
func (e environment) vault() (Vault, error) {
	token, address := e.get("VAULT_TOKEN"), e.get("VAULT_URL")
	host, port, path := e.get("VAULT_HOST"), e.get("VAULT_PORT"), e.get("VAULT_PATH")
	if token == "" || address == "" && (host == "" || port == "" || path == "") {
		return Vault{}, nil
	}
	if address != "" {
		checked, err := parseVaultURL(address)
		if err != nil {
			return Vault{}, fmt.Errorf("VAULT_URL: %w", err)
		}
		return Vault{URL: checked, Token: NewSecret(token)}, nil
	}
	scheme, name, ok := strings.Cut(host, "://")
	if !ok {
		scheme, name = "https", host
	}
	name = strings.TrimSuffix(strings.TrimPrefix(strings.TrimRight(name, "/"), "["), "]")
	path = strings.TrimPrefix(strings.Trim(path, "/"), "v1/")
	checked, err := parseVaultURL(scheme + "://" + net.JoinHostPort(name, port) + "/v1/" + path)
	if err != nil {
		return Vault{}, fmt.Errorf("VAULT_HOST, VAULT_PORT and VAULT_PATH: %w", err)
	}
	return Vault{URL: checked, Token: NewSecret(token)}, nil
}

// parseVaultURL reads the address of a secret.
func parseVaultURL(word string) (string, error) {
	u, err := url.Parse(word)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", fmt.Errorf("%q is not http://HOST/PATH or https://HOST/PATH", withoutUser(word))
	}
	return u.String(), nil
}

// credentials asks Vault for user and password. It blocks for at most about a minute,
// while Vault cannot be reached or is not ready. caFile verifies Vault's certificate
// instead of the system's authorities, unless it is empty. It follows no redirect,
// because a token is not for strangers. The error names the address and neither token
// nor answer.
func (v Vault) credentials(ctx context.Context, caFile string) (Credentials, error) {
	auth, err := v.ask(ctx, caFile)
	if err != nil {
		return Credentials{}, fmt.Errorf("get credentials from Vault at %s: %w", v.URL, err)
	}
	return auth, nil
}

func (v Vault) ask(ctx context.Context, caFile string) (Credentials, error) {
	transport, err := vaultTransport(caFile)
	if err != nil {
		return Credentials{}, err
	}
	defer transport.CloseIdleConnections()
	client := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: transport, Timeout: vaultTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: vaultRetries, RetryWaitMin: vaultMinPause, RetryWaitMax: vaultMaxPause,
		CheckRetry: retryablehttp.DefaultRetryPolicy, Backoff: retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return Credentials{}, err
	}
	req.Header.Set("X-Vault-Token", v.Token.Reveal())
	resp, err := client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return Credentials{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return Credentials{}, fmt.Errorf("answer %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, vaultMaxBody))
	if err != nil {
		return Credentials{}, fmt.Errorf("read answer: %w", err)
	}
	return parseVaultAnswer(body)
}

// parseVaultAnswer reads a secret of the key-value engine's first version, where data
// holds the fields, or of its second, where they are one level deeper.
func parseVaultAnswer(body []byte) (Credentials, error) {
	type fields struct{ User, Pass string }
	var answer struct {
		Data struct {
			fields
			Data *fields
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Credentials{}, errors.New("answer is not a secret in JSON with the texts user and pass")
	}
	found := answer.Data.fields
	if answer.Data.Data != nil {
		found = *answer.Data.Data
	}
	if found.User == "" || found.Pass == "" {
		return Credentials{}, errors.New("the secret lacks the field user or pass")
	}
	return Credentials{User: found.User, Password: NewSecret(found.Pass)}, nil
}

// vaultTransport returns a transport that verifies what it talks to.
func vaultTransport(caFile string) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read certificates to verify it with: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", caFile)
		}
	}
	return &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, TLSHandshakeTimeout: vaultTimeout}, nil
}
