package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
)

// secretMask stands for every secret in texts, logs and errors.
const secretMask = "<secret>"

// Secret is a password or a key. However it is printed, encoded or logged, only
// "<secret>" comes out; [Secret.Reveal] alone gives the value. The zero Secret
// is the empty one. Two secrets are compared with [Secret.Equal], not with ==.
type Secret struct {
	// A pointer, because package fmt prints the inside of unexported fields
	// without asking their methods: of this it would print an address.
	value *string
}

var (
	_ encoding.TextMarshaler = Secret{}
	_ json.Marshaler         = Secret{}
)

// NewSecret returns a secret that holds value.
func NewSecret(value string) Secret { return Secret{value: &value} }

// Reveal returns the value itself, for the one place that sends it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty says whether there is nothing to hide.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Equal says whether both hold the same value.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String returns "<secret>", and nothing for an empty secret.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return secretMask
}

// GoString returns what String returns.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns what String returns, for encoders of any kind (JSON,
// maps, zap).
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON returns what String returns as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// Credentials are a user's name and password for Marathon (HTTP basic
// authentication). The zero value means none. They print as "user:<secret>".
type Credentials struct {
	User     string
	Password Secret
}

// Empty says whether there are no credentials at all.
func (c Credentials) Empty() bool { return c.User == "" && c.Password.Empty() }

// Equal says whether both have the same user and password.
func (c Credentials) Equal(other Credentials) bool {
	return c.User == other.User && c.Password.Equal(other.Password)
}

// String returns the user and a mask for the password; empty for no credentials.
func (c Credentials) String() string {
	if c.Empty() {
		return ""
	}
	return c.User + ":" + secretMask
}
