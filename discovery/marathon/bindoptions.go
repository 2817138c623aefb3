package marathon

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// bindOption returns how many arguments an option of a bind line takes, and whether
// it names a file (HAProxy's manual, section 5.1). Options that open further sockets
// or change who may use one are not known here.
func bindOption(name string) (args int, file, known bool) {
	switch name {
	case "ssl", "accept-proxy", "allow-0rtt", "defer-accept", "force-sslv3", "force-tlsv10", "force-tlsv11",
		"force-tlsv12", "force-tlsv13", "generate-certificates", "no-alpn", "no-sslv3", "no-tls-tickets",
		"no-tlsv10", "no-tlsv11", "no-tlsv12", "no-tlsv13", "prefer-client-ciphers", "strict-sni", "tfo",
		"transparent", "v4v6", "v6only", "no-strict-sni", "no-ca-names":
		return 0, false, true
	case "alpn", "npn", "ciphers", "ciphersuites", "curves", "ecdhe", "sigalgs", "client-sigalgs", "ssl-min-ver",
		"ssl-max-ver", "verify", "ca-ignore-err", "crt-ignore-err", "backlog", "maxconn", "mss", "nice", "name",
		"id", "tcp-ut", "proto", "interface", "accept-netscaler-cip", "thread":
		return 1, false, true
	case "crt", "crt-list", "default-crt", "ca-file", "ca-verify-file", "ca-sign-file", "crl-file", "tls-ticket-keys":
		return 1, true, true
	}
	return 0, false, false
}

// systemCertificates is what HAProxy takes in place of a file for the authorities
// that the system trusts.
const systemCertificates = "@system-ca"

// parseBindOptions reads further words of a bind line. They may not open sockets;
// where their files may be is checked when all labels are known (see outside).
func parseBindOptions(v *values, text string) error {
	words, err := printableWords(text)
	if err != nil {
		return err
	}
	for rest := words; len(rest) > 0; {
		name := rest[0]
		args, file, known := bindOption(name)
		switch {
		case !known:
			return fmt.Errorf("%q is no option of a bind line that a label may use", excerpt(name))
		case len(rest) <= args:
			return fmt.Errorf("option %s lacks its argument", name)
		case file && rest[1] != systemCertificates:
			v.bindFiles = append(v.bindFiles, rest[1])
		}
		rest = rest[1+args:]
	}
	v.bindOptions = strings.Join(words, " ")
	return nil
}

// outside returns the first file of the bind options that is in none of the folders
// of certificates, the one of the service's own certificate among them unless that
// is the root (contract 10.3).
func (v *values) outside(folders []string) (file string, ok bool) {
	if own := path.Dir(v.certificate); v.certificate != "" && own != "/" {
		folders = append(slices.Clone(folders), own)
	}
	i := slices.IndexFunc(v.bindFiles, func(f string) bool { return !below(folders, f) })
	if i < 0 {
		return "", false
	}
	return v.bindFiles[i], true
}

// below reports whether a file is in one of the folders or below it.
func below(folders []string, file string) bool {
	return path.IsAbs(file) && path.Clean(file) == strings.TrimSuffix(file, "/") &&
		slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(file+"/", strings.TrimSuffix(f, "/")+"/") })
}

// parseCertificate reads the file or folder of the certificates of a service port.
func parseCertificate(v *values, text string) error {
	words, err := printableWords(text)
	switch {
	case err != nil:
		return err
	case len(words) == 0:
		return nil
	case len(words) > 1 || !path.IsAbs(words[0]):
		return errors.New("not an absolute path without blanks")
	case slices.Contains(strings.Split(words[0], "/"), ".."):
		return errors.New("the path leads upwards")
	case systemFile(words[0]):
		return errors.New("a file of the kernel is no certificate") // HAProxy would read some for ever
	}
	v.certificate = words[0]
	return nil
}

// systemFile reports whether a path leads to what the kernel makes up.
func systemFile(name string) bool {
	name = path.Clean(name) + "/"
	return strings.HasPrefix(name, "/dev/") || strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/")
}
