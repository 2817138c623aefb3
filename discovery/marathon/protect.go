package marathon

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"mlb/discovery"
)

// parseAuth reads realm:user:encryptedpassword. Anything but three parts with
// something in them would leave the hosts open that the team wanted closed, so the
// service is left out (D26).
func parseAuth(v *values, text string) error {
	if err := plain(text); err != nil {
		return err
	}
	parts := strings.Split(text, ":")
	if len(parts) != 3 || slices.Contains(parts, "") {
		return errors.New("not of the form realm:user:encryptedpassword with all three parts")
	}
	realm, user, password := parts[0], parts[1], parts[2]
	if strings.ContainsFunc(realm, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("the realm is no printable text")
	}
	for _, secret := range []string{user, password} {
		if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'\#`, r) }) {
			return errors.New("the user or the password has a blank, a quote, a backslash, # or a character outside ASCII")
		}
	}
	v.auth = discovery.Auth{Realm: realm, User: user, Password: password}
	return nil
}

// parseNetworks reads the client networks that reach the backend. A list of nothing
// would let everybody in or nobody, so it is refused.
func parseNetworks(v *values, text string) error {
	if err := plain(text); err != nil {
		return err
	}
	for word := range strings.FieldsSeq(text) {
		if !isNetwork(word) {
			return fmt.Errorf("%q is neither an IP address nor a network such as 10.0.0.0/8 (blanks separate them)", excerpt(word))
		}
		if !slices.Contains(v.networks, word) {
			v.networks = append(v.networks, word)
		}
	}
	if text != "" && len(v.networks) == 0 {
		return errors.New("no network in the list")
	}
	return nil
}

func isNetwork(word string) bool {
	if prefix, err := netip.ParsePrefix(word); err == nil {
		return prefix.Addr().Zone() == ""
	}
	addr, err := netip.ParseAddr(word)
	return err == nil && addr.Zone() == ""
}
