package marathonsim

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// Identity is what the bearer of a token may see, as an authorization plugin of
// Marathon decides. The zero value may see everything.
type Identity struct {
	// Sees says of an app or a pod, by its ID, whether it is shown: lists leave the others
	// out without a word. It must neither wait nor call the cluster, whose lock is
	// held. Nil means all.
	Sees func(id string) bool
	// NoEvents refuses /v2/events with 403.
	NoEvents bool
}

// sees reports whether the app or pod is shown.
func (i Identity) sees(id string) bool { return i.Sees == nil || i.Sees(id) }

// token is a token that was issued.
type token struct {
	identity Identity
	expires  time.Time // zero: never
}

// IssueToken returns a new token for the header "Authorization: token=…", which
// every path but /ping asks for with Options.Tokens. It is refused when life has
// passed; 0 means never. A stream that is open stays open.
func (c *Cluster) IssueToken(identity Identity, life time.Duration) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &token{identity: identity}
	if life > 0 {
		t.expires = time.Now().Add(life)
	}
	id := rand.Text()
	c.tokens[id] = t
	return id
}

// RevokeTokens refuses every token that was issued so far.
func (c *Cluster) RevokeTokens() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tokens)
}

// authorize returns who sends the request. When it reports false, the request was
// answered.
func (m *master) authorize(w http.ResponseWriter, r *http.Request) (Identity, bool) {
	o, path := m.cluster.options, squeeze(r.URL.Path)
	events := path == "/v2/events"
	switch {
	case o.Username != "":
		user, password, ok := r.BasicAuth()
		if ok && subtle.ConstantTimeCompare([]byte(user), []byte(o.Username)) == 1 &&
			subtle.ConstantTimeCompare([]byte(password), []byte(o.Password)) == 1 {
			return Identity{}, true
		}
		m.refuse(w, r, `Basic realm="Mesosphere"`)
		return Identity{}, false
	case !o.Tokens, path == "/ping", events && !m.cluster.features.eventAuth:
		return Identity{}, true
	}
	identity, ok := m.cluster.bearer(r)
	switch {
	case !ok:
		m.refuse(w, r, "acsjwt")
	case events && identity.NoEvents:
		m.writePage(w, r, http.StatusForbidden, "Forbidden")
		return Identity{}, false
	}
	return identity, ok
}

// bearer returns the identity of the token that a request carries.
func (c *Cluster) bearer(r *http.Request) (Identity, bool) {
	id, ok := strings.CutPrefix(r.Header.Get("Authorization"), "token=")
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tokens[id]
	if !ok || t == nil || !t.expires.IsZero() && time.Now().After(t.expires) {
		return Identity{}, false
	}
	return t.identity, true
}

// refuse answers 401.
func (m *master) refuse(w http.ResponseWriter, r *http.Request, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	m.writePage(w, r, http.StatusUnauthorized, "Unauthorized")
}
