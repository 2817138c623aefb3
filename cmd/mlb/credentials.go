package main

import (
	"context"
	"fmt"
	"os"

	"mlb/discovery/marathon"
)

// marathonTLS returns what connections to Marathon and to the login at DC/OS show and
// want to see. The error names the options and the files of the client certificate.
func marathonTLS(cfg Config) (marathon.ClientConfig, error) {
	shown := marathon.ClientConfig{CAFile: cfg.CACert, ServerName: cfg.ServerName}
	if cfg.ClientCert == "" {
		return shown, nil
	}
	var err error
	if shown.Identity, err = marathon.NewIdentity(cfg.ClientCert, cfg.ClientKey); err != nil {
		return marathon.ClientConfig{}, fmt.Errorf("--marathon-client-cert, --marathon-client-key: %w", err)
	}
	return shown, nil
}

// authorizer returns what proves to Marathon who asks; nil if there are no
// credentials. It asks Vault if they are there, and logs in nowhere. Later logins connect
// as login says.
func authorizer(ctx context.Context, cfg Config, login marathon.ClientConfig) (marathon.Credentials, error) {
	auth, err := cfg.Credentials(os.ReadFile)
	if err != nil {
		return nil, err
	}
	fromFile := cfg.CredentialFile != ""
	if !fromFile && auth.Empty() && cfg.Vault.URL != "" {
		if auth, err = cfg.Vault.credentials(ctx, cfg.CACert); err != nil {
			return nil, err
		}
	}
	switch {
	case !auth.Empty():
		return marathon.NewBasic(auth.User, auth.Password.Reveal()), nil
	case fromFile || cfg.DCOSCredentials.Empty():
		return nil, nil
	}
	account, err := marathon.ParseServiceAccount(cfg.DCOSCredentials.Reveal())
	if err != nil {
		return nil, err
	}
	dcos, err := marathon.NewDCOS(account, login)
	if err != nil {
		return nil, fmt.Errorf("--marathon-ca-cert: %w", err)
	}
	return dcos, nil
}
