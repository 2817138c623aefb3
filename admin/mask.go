package admin

import (
	"regexp"
	"slices"
)

// word matches one word of a configuration line, quotes and escapes included
// (HAProxy's manual, section 2.2). A quote that is never closed need not be thought
// of: HAProxy does not start with one.
const word = `(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+`

var (
	// userLine is a user of a userlist section: the name, then options with one
	// argument each (section 3.4). One in a comment counts too.
	userLine = regexp.MustCompile(`(?m)^[ \t#]*user[ \t][^\n]*`)
	// userName is the part of the line before the options.
	userName = regexp.MustCompile(`^[ \t#]*user[ \t]+` + word)
	// userOption is one option of the line, its argument apart.
	userOption = regexp.MustCompile(`([ \t]+` + word + `[ \t]+)` + word)
	// passwordOption is an option whose argument is a password or its hash.
	passwordOption = regexp.MustCompile(`^[ \t]+["']?(?:insecure-)?password["']?[ \t]`)
	// statsAuth is the login of a statistics page (section 4.2, stats auth).
	statsAuth = regexp.MustCompile(`(?m)^([ \t#]*stats[ \t]+auth[ \t]+[^\n:]*:)[^\n]*`)
	// authorization is a header with credentials that HAProxy sends (set-header,
	// add-header, http-check send).
	authorization = regexp.MustCompile(`(?mi)((?:header|hdr)[ \t]+["']?(?:proxy-)?authorization["']?[ \t]+)` + word)
)

// maskPasswords returns a configuration without its passwords and their hashes
// (D51). All else stays as it is, to the byte.
func maskPasswords(config []byte) []byte {
	config = userLine.ReplaceAllFunc(config, func(line []byte) []byte {
		name := userName.Find(line)
		return slices.Concat(name, userOption.ReplaceAllFunc(line[len(name):], maskOption))
	})
	config = statsAuth.ReplaceAll(config, []byte("${1}<secret>"))
	return authorization.ReplaceAll(config, []byte("${1}<secret>"))
}

// maskOption masks the argument of a password option and returns others as they
// are.
func maskOption(option []byte) []byte {
	if !passwordOption.Match(option) {
		return option
	}
	return userOption.ReplaceAll(option, []byte("${1}<secret>"))
}
