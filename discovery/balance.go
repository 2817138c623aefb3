package discovery

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxDraws is how many servers "balance random" may draw for a request. HAProxy has no
// limit and draws one after the other: an absurd number stops it for everybody.
const maxDraws = 64

// CheckBalance checks the arguments of HAProxy's balance directive: the algorithm must
// be one that it has for the modes that a service can have, and must not make it draw
// without end (its manual, section 4.2). The rest is HAProxy's to judge.
func CheckBalance(words []string) error {
	if len(words) == 0 {
		return errors.New("no algorithm")
	}
	name, argument, _ := strings.Cut(words[0], "(")
	switch name {
	case "roundrobin", "static-rr", "leastconn", "first", "hash", "source", "uri", "url_param", "hdr", "rdp-cookie":
		return nil
	case "random":
	default:
		return fmt.Errorf("algorithm %q is not known to HAProxy", name)
	}
	if words[0] == name {
		return nil
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(argument, ")")); err != nil || n < 1 || n > maxDraws {
		return fmt.Errorf("%s: wanted random, or random(N) with N from 1 to %d", words[0], maxDraws)
	}
	return nil
}
