package marathon

import (
	"errors"
	"net/url"
	"strings"
)

// parseProxyPass reads the prefix that is cut off from request paths.
func parseProxyPass(v *values, text string) (err error) {
	v.proxyPass, err = onePath(text)
	return err
}

// parseReverseProxy reads the path that replaces a Location.
func parseReverseProxy(v *values, text string) (err error) {
	v.reverseProxy, err = onePath(text)
	return err
}

// onePath reads a path of RFC 3986, section 3.3. An empty one is none.
func onePath(text string) (string, error) {
	if err := plain(text); err != nil {
		return "", err
	}
	text = strings.Trim(text, " ")
	if text != "" && text[0] != '/' {
		return "", errors.New("the path does not begin with /")
	}
	return text, pathWord(text)
}

// parseRootRedirect reads where requests for "/" are sent: a path with or without a
// query, or an http or https URL.
func parseRootRedirect(v *values, text string) error {
	if err := plain(text); err != nil {
		return err
	}
	text = strings.Trim(text, " ")
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || strings.ContainsAny(text, " \"'\\<>^`{|}") || strings.ContainsFunc(text, func(r rune) bool { return r > '~' }) {
		return errors.New("neither a path nor a URL")
	}
	web := (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Opaque == ""
	if !web && (u.Scheme != "" || !strings.HasPrefix(text, "/")) {
		return errors.New("neither a path that begins with / nor an http or https URL")
	}
	v.rootRedirect = text
	return nil
}
