package marathon

import "net/http"

// Credentials prove to Marathon who is asking.
type Credentials interface {
	// Authorize adds the proof to a request. It is called for each request that
	// goes to a host that may have it, from several goroutines at once, and may
	// block until the request's context is done. Its error ends the attempt and
	// must not contain the secret.
	Authorize(req *http.Request) error
}

// renewable are credentials that can be got anew; *DCOS is one.
type renewable interface {
	Credentials
	// Renew asks for new ones before the next request.
	Renew()
	// Refused takes in that an authorized request was answered with 401.
	Refused(req *http.Request)
}

// Basic is a user and a password for basic authentication. Its secret shows in
// no format and no log.
type Basic struct {
	user, password string
}

// NewBasic returns credentials for basic authentication. Both parts are sent as
// they are; the password may contain colons, the user must not.
func NewBasic(user, password string) Basic { return Basic{user, password} }

// Authorize sets the Authorization header. It never fails.
func (b Basic) Authorize(req *http.Request) error {
	req.SetBasicAuth(b.user, b.password)
	return nil
}

// String returns a placeholder, so that the secret is not printed by accident.
func (b Basic) String() string { return "<secret>" }

// GoString is String for the verb %#v.
func (b Basic) GoString() string { return b.String() }
