package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// ErrUnusable is in the chain of an error about a file that can be read but from
// which HAProxy cannot serve: its certificate or key is missing or damaged, or
// they do not belong together.
var ErrUnusable = errors.New("no usable pair of certificate and key")

// checkPair returns nil if HAProxy can be expected to serve from the file. An
// error without ErrUnusable in its chain says nothing about the content.
func checkPair(path string) error {
	text, err := readRegular(path)
	if err != nil {
		return err
	}
	return checkText(path, text)
}

// checkText is checkPair for a file that holds a text.
func checkText(path string, text []byte) (err error) {
	certificate, key := firstBlocks(text)
	if certificate == nil {
		return fmt.Errorf("%s: %w: it holds no certificate", path, ErrUnusable)
	}
	keyPath, keyText := path, text
	if key == nil {
		keyPath = path + ".key"
		keyText, err = readRegular(keyPath)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w: neither it nor %s holds a private key", path, ErrUnusable, keyPath)
		}
		if err != nil {
			return err
		}
		if _, key = firstBlocks(keyText); key == nil {
			return fmt.Errorf("%s: %w: it holds no private key", keyPath, ErrUnusable)
		}
	}
	switch {
	case damaged(certificate):
		return fmt.Errorf("%s: %w: the certificate is damaged", path, ErrUnusable)
	case damaged(key):
		return fmt.Errorf("%s: %w: the private key is damaged", keyPath, ErrUnusable)
	}
	if _, err = tls.X509KeyPair(text, keyText); err != nil && understood(certificate, key) {
		return fmt.Errorf("%s: %w: %w", path, ErrUnusable, err)
	}
	return nil
}

// readRegular reads a file but waits for no pipe.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, errNotRegular)
	}
	return os.ReadFile(path)
}

// firstBlocks returns the first certificate and the first private key of a text,
// or nil for what is not there. They may come in any order.
func firstBlocks(text []byte) (certificate, key *pem.Block) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case certificate == nil && strings.HasSuffix(block.Type, "CERTIFICATE"):
			certificate = block
		case key == nil && strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key = block
		}
	}
	return certificate, key
}

// damaged reports whether a block is not even one complete ASN.1 value. The
// content of a key encrypted in the old way looks like that, so it is not judged.
func damaged(block *pem.Block) bool {
	if block.Headers["DEK-Info"] != "" {
		return false
	}
	var value asn1.RawValue
	rest, err := asn1.Unmarshal(block.Bytes, &value)
	// A trusted certificate is followed by what it is trusted for.
	return err != nil || len(rest) > 0 && block.Type != "TRUSTED CERTIFICATE"
}

// understood reports whether Go knows what both are, so that it may say that they
// do not match. OpenSSL knows more kinds of keys.
func understood(certificate, key *pem.Block) bool {
	leaf, err := x509.ParseCertificate(certificate.Bytes)
	if err != nil || leaf.PublicKey == nil {
		return false
	}
	if _, err = x509.ParsePKCS8PrivateKey(key.Bytes); err == nil {
		return true
	}
	if _, err = x509.ParsePKCS1PrivateKey(key.Bytes); err == nil {
		return true
	}
	_, err = x509.ParseECPrivateKey(key.Bytes)
	return err == nil
}
