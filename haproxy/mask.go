package haproxy

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// maskedWord matches one word of a configuration line, quotes and escapes included
// (HAProxy's manual, section 2.2). A quote that is never closed need not be thought
// of: HAProxy does not start with one.
const maskedWord = `(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+`

var (
	// anyLine is a line without its end.
	anyLine = regexp.MustCompile(`(?m)^[^\n]+`)
	// userLine is a user of a userlist section: the name, then options with one
	// argument each (section 3.4). One in a comment counts too.
	userLine = regexp.MustCompile(`(?m)^[ \t#]*user[ \t][^\n]*`)
	// userName is the part of the line before the options.
	userName = regexp.MustCompile(`^[ \t#]*user[ \t]+` + maskedWord)
	// userOption is one option of the line, its argument apart.
	userOption = regexp.MustCompile(`([ \t]+` + maskedWord + `[ \t]+)` + maskedWord)
	// passwordOption is an option whose argument is a password or its hash.
	passwordOption = regexp.MustCompile(`^[ \t]+["']?(?:insecure-)?password["']?[ \t]`)
	// statsAuth is the login of a statistics page (section 4.2, stats auth).
	statsAuth = regexp.MustCompile(`(?m)^([ \t#]*stats[ \t]+auth[ \t]+[^\n:]*:)[^\n]*`)
	// authorization is a header with credentials that HAProxy sends (set-header,
	// add-header, http-check send).
	authorization = regexp.MustCompile(`(?mi)([ \t](?:set-header|add-header|header|hdr)[ \t]+["']?(?:proxy-)?authorization["']?[ \t]+)` + maskedWord)
)

// MaskPasswords returns a configuration without its passwords and their hashes
// (D51). All else stays as it is, to the byte.
func MaskPasswords(config []byte) []byte {
	config = userLine.ReplaceAllFunc(config, func(line []byte) []byte {
		name := userName.Find(line)
		return slices.Concat(name, userOption.ReplaceAllFunc(line[len(name):], maskOption))
	})
	config = statsAuth.ReplaceAll(config, []byte("${1}<secret>"))
	config = authorization.ReplaceAll(config, []byte("${1}<secret>"))
	return anyLine.ReplaceAllFunc(config, maskHidden)
}

// maskHidden leaves nothing but the first word of a line whose keyword is written with
// quotes or escapes, so that the expressions do not find it, and HAProxy does.
func maskHidden(line []byte) []byte {
	words, err := Words(string(line))
	if err != nil || len(words) == 0 {
		return line
	}
	for i, w := range words[:len(words)-1] {
		secret := words[i+1]
		switch {
		case words[0] == "user" && i%2 == 0 && (w == "password" || w == "insecure-password"):
		case words[0] == "stats" && w == "auth":
			_, secret, _ = strings.Cut(secret, ":")
		case i > 0 && slices.Contains([]string{"set-header", "add-header", "header", "hdr"}, words[i-1]) &&
			(strings.EqualFold(w, "authorization") || strings.EqualFold(w, "proxy-authorization")):
		default:
			continue
		}
		if secret != "<secret>" && secret != "" {
			return append(line[:len(line)-len(bytes.TrimLeft(line, " \t"))], words[0]+" <secret>"...)
		}
	}
	return line
}

// maskOption masks the argument of a password option and returns others as they
// are.
func maskOption(option []byte) []byte {
	if !passwordOption.Match(option) {
		return option
	}
	return userOption.ReplaceAll(option, []byte("${1}<secret>"))
}
