package certs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

const (
	// keyBits is the size of the RSA key (contract 1.1, step 3).
	keyBits = 2048
	// validDays is how long the certificate is good (contract 1.1, step 3).
	validDays = 3650
)

// EnsureSelfSigned makes path hold a certificate and a key, unless it already
// does: a new RSA key of 2048 bits and a certificate for the common name "*", good
// for 3650 days from now, the certificate first. It reports whether it did.
//
// A file with a pair that can be loaded is left alone, whoever made it and even if
// it has expired (D4). So is a pair of a kind that only HAProxy may know. A file
// that is there but cannot be read is an error. A symbolic link to a file without
// a pair, such as a bundle of authorities, is replaced, not what it leads to.
func EnsureSelfSigned(path string) (created bool, err error) {
	switch err = checkPair(path); {
	case err == nil:
		return false, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrUnusable):
	default:
		return false, fmt.Errorf("look for a certificate: %w", err)
	}
	text, err := selfSigned(time.Now())
	if err != nil {
		return false, fmt.Errorf("make a certificate for %s: %w", path, err)
	}
	if err = WriteFiles([]File{{Path: path, PEM: text}}); err != nil {
		return false, err
	}
	return true, nil
}

// selfSigned returns a new certificate that is valid from now on, and its key.
// There is no subject alternative name: none would mean "any host", and who trusts
// nothing but known names must not trust this one.
func selfSigned(now time.Time) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "*"},
		NotBefore:             now,
		NotAfter:              now.AddDate(0, 0, validDays),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	// Without a serial number, CreateCertificate draws a random one.
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), nil
}
