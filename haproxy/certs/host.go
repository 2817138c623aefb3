package certs

import (
	"crypto/sha1" //nolint:gosec // HAProxy names a certificate by its SHA-1 (ssl_f_sha1).
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Host is a name that a certificate stands for.
type Host struct {
	// Fingerprint is the SHA-1 of the certificate in upper-case hex digits, as
	// HAProxy's ssl_f_sha1,hex gives it (its manual, section 7.3.4).
	Fingerprint string
	// Name is the name, lower-cased; a leading "*." stands for one label.
	Name string
}

// Hosts returns the names in the certificates that HAProxy takes from paths (see
// Load), in the order of the paths. Certificates that cannot be read are left out and
// named in the error, which joins one for each.
func Hosts(paths []string) ([]Host, error) {
	var hosts []Host
	var errs []error
	for _, path := range paths {
		files, err := list(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("names of certificates: %w", err))
			continue
		}
		for _, file := range files {
			one, err := hostsOf(file)
			if err != nil {
				errs = append(errs, fmt.Errorf("names of certificate %s: %w", file, err))
			}
			hosts = append(hosts, one...)
		}
	}
	return hosts, errors.Join(errs...)
}

func hostsOf(file string) ([]Host, error) {
	text, err := readRegular(file)
	if err != nil {
		return nil, err
	}
	block, _ := firstBlocks(text)
	if block == nil {
		return nil, ErrUnusable
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	names := certificate.DNSNames
	if len(names) == 0 && certificate.Subject.CommonName != "" {
		names = []string{certificate.Subject.CommonName}
	}
	sum := sha1.Sum(block.Bytes) //nolint:gosec // see above.
	fingerprint := strings.ToUpper(hex.EncodeToString(sum[:]))
	hosts := make([]Host, len(names))
	for i, n := range names {
		hosts[i] = Host{Fingerprint: fingerprint, Name: strings.ToLower(n)}
	}
	return hosts, nil
}
