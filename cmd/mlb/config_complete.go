package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap/zapcore"

	"mlb/discovery/marathon"
)

// complete computes what depends on several options or on variables, and checks
// what no single option can.
func (l *loader) complete() {
	d := &l.draft
	if d.sse {
		d.Mode = ModeSSE
	}
	if d.dry {
		d.Mode = ModeRender
	}
	if len(d.Groups) == 0 {
		l.wrong.usage(l.call, "--group is required: name at least one group of services to serve")
	}
	l.checkPorts()
	l.checkListeners()
	l.completeMarathon()
	l.completeLogging()
	l.completeAuth()
	l.completeCommand()

	d.FrameworkName = l.env.get("FRAMEWORK_NAME")
	d.DefaultOptions = l.env.defaultOptions()
	d.Templates = l.env.templates()
	d.Certificates = l.env.certificates(d.sslCerts, d.sslDir, d.Container)
	if d.Container {
		l.completeJob()
	}
	d.Settings = l.settings()
}

// completeJob reads what only the container's entry point does (contract 1.1).
func (l *loader) completeJob() {
	d := &l.draft
	d.SandboxTemplates = l.env.sandboxTemplates()
	d.Sysctls = strings.Fields(l.env.get("HAPROXY_SYSCTL_PARAMS"))
	d.SysctlsLenient = l.env.get("HAPROXY_SYSCTL_NONSTRICT") != ""
	if l.env.get("HAPROXY_SYSLOGD") != "" {
		d.SyslogdSocket = d.syslogd
	}
}

// checkPorts checks the range of ports for services that have none.
func (l *loader) checkPorts() {
	lowest, highest := l.draft.MinServicePort, l.draft.MaxServicePort
	const names = "--min-serv-port-ip-per-task and --max-serv-port-ip-per-task"
	switch {
	case (lowest == 0) != (highest == 0):
		l.wrong.add(exitUsage, names+": both must be 0, or neither")
	case lowest > highest:
		l.wrong.add(exitUsage, fmt.Sprintf("%s: the first port, %d, is above the last, %d", names, lowest, highest))
	case highest > maxPort:
		l.wrong.add(exitUsage, fmt.Sprintf("%s: there is no port %d", names, highest))
	}
}

// checkListeners finds fixed listeners that would take each other's place.
func (l *loader) checkListeners() {
	d := &l.draft
	type listener struct {
		option  string
		address BindAddress
	}
	listeners := []listener{{"--appid-bind", d.AppID}, {"--stats-bind", d.Stats}}
	if !d.DontBindHTTPAndHTTPS {
		listeners = append([]listener{{"--http-bind", d.HTTP}, {"--https-bind", d.HTTPS}}, listeners...)
	}
	for i, one := range listeners {
		for _, other := range listeners[i+1:] {
			if one.address.Port != 0 && one.address.overlaps(other.address) {
				l.wrong.add(exitUsage, fmt.Sprintf("%s %s and %s %s are the same place", one.option, one.address, other.option, other.address))
			}
		}
	}
}

// completeMarathon checks the base URLs of Marathon.
func (l *loader) completeMarathon() {
	d := &l.draft
	l.completeClusters()
	for _, word := range d.marathon {
		if base, ok := l.master("--marathon", word); ok && !slices.Contains(d.Marathon, base) {
			d.Marathon = append(d.Marathon, base)
		}
	}
	l.checkClusters()
	if (d.ClientCert == "") != (d.ClientKey == "") {
		l.wrong.add(exitUsage, "--marathon-client-cert and --marathon-client-key: both must be given, or neither")
	}
	d.marathon = d.Marathon // what is shown from now on has no credentials
	unverified := func(base string) bool { return strings.HasPrefix(base, "https:") }
	if d.CACert == "" && slices.ContainsFunc(d.clusters(), func(c Cluster) bool { return slices.ContainsFunc(c.Marathon, unverified) }) {
		d.Warnings = append(d.Warnings, "Marathon's certificates are not verified without --marathon-ca-cert")
	}
}

// master reads a base URL of an option, and notes its credentials, which are those for
// all masters of all clusters, or what is wrong.
func (l *loader) master(option, word string) (base string, ok bool) {
	base, auth, err := parseMarathon(word)
	switch d := &l.draft; {
	case err != nil:
		l.wrong.add(exitUsage, option+": "+err.Error())
		return "", false
	case auth.Empty() || auth.Equal(d.Auth):
	case d.Auth.Empty():
		d.Auth = auth
	default:
		l.wrong.add(exitUsage, option+": the URLs hold different credentials")
	}
	return base, true
}

// parseMarathon reads a base URL. A path prefix stays, a trailing slash goes,
// and credentials are taken out, so that the URL can be logged.
func parseMarathon(word string) (string, Credentials, error) {
	base, err := url.Parse(word)
	if err != nil {
		// The library's message repeats the word, which may hold a password.
		return "", Credentials{}, fmt.Errorf("%q is not a URL", withoutUser(word))
	}
	var auth Credentials
	if base.User != nil {
		password, _ := base.User.Password()
		auth = Credentials{User: base.User.Username(), Password: NewSecret(password)}
		base.User = nil
	}
	port, portErr := strconv.ParseUint(base.Port(), 10, 16)
	switch {
	case base.Scheme != "http" && base.Scheme != "https", base.Hostname() == "":
		return "", Credentials{}, fmt.Errorf("%q is not http://HOST or https://HOST, with a port or without", withoutUser(word))
	case base.RawQuery != "" || base.Fragment != "" || base.ForceQuery:
		return "", Credentials{}, fmt.Errorf("%q must have neither query nor fragment", withoutUser(word))
	case base.Port() != "" && (portErr != nil || port == 0):
		return "", Credentials{}, fmt.Errorf("%q has no valid port", withoutUser(word))
	}
	return strings.TrimRight(base.String(), "/"), auth, nil
}

// withoutUser takes everything out of a URL, or what was meant to be one, that
// can be credentials.
func withoutUser(word string) string {
	at := strings.LastIndexByte(word, '@')
	if at < 0 {
		return word
	}
	scheme := ""
	if i := strings.Index(word[:at], "://"); i >= 0 {
		scheme = word[:i+len("://")]
	}
	return scheme + word[at+1:]
}

// completeLogging reads the level and the socket.
func (l *loader) completeLogging() {
	d := &l.draft
	level, err := parseLevel(d.logLevel)
	if err != nil {
		l.wrong.add(exitFailure, "--log-level: "+err.Error())
	}
	d.Log.Level = level
	if d.syslogSocket != "/dev/null" {
		d.Log.SyslogSocket = d.syslogSocket
	}
}

// parseLevel reads one of Python's level words, in any case.
func parseLevel(word string) (zapcore.Level, error) {
	switch strings.ToUpper(word) {
	case "CRITICAL":
		return zapcore.DPanicLevel, nil
	case "ERROR":
		return zapcore.ErrorLevel, nil
	case "WARNING":
		return zapcore.WarnLevel, nil
	case "INFO":
		return zapcore.InfoLevel, nil
	case "DEBUG", "NOTSET":
		return zapcore.DebugLevel, nil
	default:
		return zapcore.DebugLevel, fmt.Errorf("%q is none of CRITICAL, ERROR, WARNING, INFO, DEBUG, NOTSET", word)
	}
}

// completeAuth decides between the credentials of flags, of the environment, of Vault,
// of DC/OS and of Marathon's URLs, in this order: a later source of contract 1.1
// step 7 wins over an earlier one. A file of credentials wins over all of them.
func (l *loader) completeAuth() {
	d := &l.draft
	fromURL := d.Auth
	d.Auth = Credentials{}
	if !d.auth.Empty() {
		auth, err := parseCredentials(d.auth.Reveal())
		if err != nil {
			l.wrong.add(exitFailure, "--auth-credentials: "+err.Error())
		}
		d.Auth = auth
		return
	}
	if user, password := l.env.get("MARATHON_USER"), l.env.get("MARATHON_PASSWORD"); d.Container && user != "" && password != "" {
		d.Auth = Credentials{User: user, Password: NewSecret(password)}
		return
	}
	if d.CredentialFile != "" {
		return
	}
	if d.Container {
		var err error
		if d.Vault, err = l.env.vault(); err != nil {
			l.wrong.add(exitFailure, err.Error())
		}
	}
	switch {
	case d.Vault.URL != "":
	case !d.DCOSCredentials.Empty():
		l.checkServiceAccount()
	default:
		d.Auth = fromURL
	}
}

// checkServiceAccount checks the service account for DC/OS.
func (l *loader) checkServiceAccount() {
	d := &l.draft
	account, err := marathon.ParseServiceAccount(d.DCOSCredentials.Reveal())
	if err != nil {
		name := "--dcos-auth-credentials"
		if origin := l.origin["dcos-auth-credentials"]; origin != originFlag {
			name = origin
		}
		l.wrong.add(exitFailure, name+": "+err.Error())
		return
	}
	if d.CACert == "" && account.Verifiable() {
		d.Warnings = append(d.Warnings, "the certificate of DC/OS is not verified without --marathon-ca-cert")
	}
}

// parseCredentials reads user:pass; the password begins after the first colon
// (D2). The error does not repeat the word.
func parseCredentials(word string) (Credentials, error) {
	user, password, ok := strings.Cut(word, ":")
	if !ok {
		return Credentials{}, errors.New("want user:pass, but there is no colon")
	}
	return Credentials{User: user, Password: NewSecret(password)}, nil
}

// Credentials returns the credentials for Marathon; none is not an error. The
// first line of the credential file wins over everything else, and an empty
// first line means no credentials at all (contract 1.2). readFile is usually
// os.ReadFile. Its error is returned wrapped, with the file's name.
func (c Config) Credentials(readFile func(name string) ([]byte, error)) (Credentials, error) {
	if c.CredentialFile == "" {
		return c.Auth, nil
	}
	text, err := readFile(c.CredentialFile)
	if err != nil {
		return Credentials{}, fmt.Errorf("read credentials: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return Credentials{}, nil
	}
	auth, err := parseCredentials(line)
	if err != nil {
		return Credentials{}, fmt.Errorf("first line of %s: %w", c.CredentialFile, err)
	}
	return auth, nil
}
