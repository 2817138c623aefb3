package marathon

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
)

// Identity is a client certificate with its key, for masters that ask for one. The
// files are read again for each handshake that does, so that a renewed certificate is
// used from the next connection on. It prints nothing of the key. It is safe for
// concurrent use.
type Identity struct {
	certFile, keyFile string

	// mu guards what follows: several connections may begin at once.
	mu   sync.Mutex
	last *tls.Certificate
	err  error // why the files could not be read the last time
}

// NewIdentity returns the identity in two PEM files: a certificate, with those between
// it and its authority after it, and the key, which is not encrypted. The error names
// the files and nothing of what is in them.
func NewIdentity(certFile, keyFile string) (*Identity, error) {
	pair, err := readPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &Identity{certFile: certFile, keyFile: keyFile, last: &pair}, nil
}

// String returns a placeholder, so that the key is not printed by accident.
func (i *Identity) String() string { return "<secret>" }

// GoString is String for the verb %#v.
func (i *Identity) GoString() string { return i.String() }

// current returns the pair for one handshake. While the files hold none, as in the
// middle of a renewal, it is the one that they held last.
func (i *Identity) current(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	pair, err := readPair(i.certFile, i.keyFile)
	if i.err = err; err == nil {
		i.last = &pair
	}
	return i.last, nil
}

// trouble returns why the pair in use is not the one in the files; nil means that it is.
func (i *Identity) trouble() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

// readPair reads a certificate and its key.
func readPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read client certificate: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key of client certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read client certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}
