package main

import (
	"context"
	"os"

	"mlb/discovery/marathon"
)

// authorizer returns what proves to Marathon who asks; nil if there are no
// credentials. It asks Vault if they are there, and logs in nowhere.
func authorizer(ctx context.Context, cfg Config) (marathon.Credentials, error) {
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
	dcos, err := marathon.NewDCOS(account, marathon.ClientConfig{CAFile: cfg.CACert})
	if err != nil {
		return nil, err
	}
	return dcos, nil
}
