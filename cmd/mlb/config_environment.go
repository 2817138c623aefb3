package main

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// environment is the process environment by name. The first of several entries
// of one name counts, as for the operating system's getenv.
type environment map[string]string

// newEnvironment reads entries of the form NAME=value.
func newEnvironment(environ []string) environment {
	env := make(environment, len(environ))
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if _, seen := env[name]; ok && !seen && name != "" {
			env[name] = value
		}
	}
	return env
}

// get returns the value of a variable; unset and empty are the same.
func (e environment) get(name string) string { return e[name] }

// envVariable is one row of the table of variables that are not the default of an
// option (contract 1.4).
type envVariable struct {
	name      string
	container bool // only the container form reads it
	doc       string
}

// envVariables is the table of environment variables beside those of the options.
// The certificates' numbered variables and the templates' are one row each.
func envVariables() []envVariable {
	return []envVariable{
		{"PORTS", true, "Must be set and not empty. The value opens and closes nothing."},
		{"HAPROXY_SSL_CERT", true, "A certificate chain and its key in PEM, where `\\n` means a line break; written to `cert.pem` in the folder of `--ssl-dir`."},
		{"HAPROXY_SSL_CERT0` … `HAPROXY_SSL_CERT100", true, "Further ones, written to `cert0.pem` … `cert100.pem`; ignored without `HAPROXY_SSL_CERT`."},
		{"MARATHON_USER", true, "The user's name for Marathon, together with `MARATHON_PASSWORD`; flags win."},
		{"MARATHON_PASSWORD", true, "The password for Marathon."},
		{"VAULT_TOKEN", true, "With `VAULT_URL`, or with `VAULT_HOST`, `VAULT_PORT` and `VAULT_PATH`: the token with which credentials for Marathon are read from Vault at start, fields `user` and `pass`. Vault is verified with `--marathon-ca-cert`, else with the system's authorities. Other basic credentials win."},
		{"VAULT_HOST", true, "Vault's host; it may begin with `http://`, otherwise HTTPS is used."},
		{"VAULT_PORT", true, "Vault's port."},
		{"VAULT_PATH", true, "The secret's path below `/v1/`, for example `secret/data/marathon`."},
		{"VAULT_URL", true, "The secret's whole address; wins over the three."},
		{"MESOS_SANDBOX", true, "The folder `templates` in it, if there is one, holds templates."},
		{"HAPROXY_SYSCTL_PARAMS", true, "Kernel parameters to set at start as `sysctl -w` does: `key=value`, separated by blanks. One that cannot be set ends the start."},
		{"HAPROXY_SYSCTL_NONSTRICT", true, "Not empty: a kernel parameter that cannot be set is no reason to stop."},
		{"HAPROXY_SYSLOGD", true, "Not empty: receive what HAProxy logs, at the socket of `--syslogd-socket`, and copy it to standard output. If somebody else listens there, they go on and there is a warning."},
		{"FRAMEWORK_NAME", false, "The app whose id, without the leading slash, equals it is skipped: the balancer itself."},
		{"HAPROXY_GLOBAL_DEFAULT_OPTIONS", false, "Comma list of HAProxy's options for the section `defaults`. Default: `redispatch,http-server-close,dontlognull`. Set but empty: none. Without effect when the template `HEAD` is replaced."},
		{"HAPROXY_<TEMPLATE>", false, "The text of a template, for example `HAPROXY_HEAD`; empty means unset."},
		{"HTTP_PROXY", false, "Proxy for calls to Marathon; with `HTTPS_PROXY` and `NO_PROXY`, in lower case too."},
		{"HTTPS_PROXY", false, "See `HTTP_PROXY`."},
		{"NO_PROXY", false, "See `HTTP_PROXY`."},
		{"TMPDIR", false, "Has no effect: temporary files are made beside the files that they become."},
		{"TINI_SUBREAPER", true, "Has no effect: mlb reaps the processes that it started, whoever runs it."},
	}
}

const templatePrefix = "HAPROXY_"

// templates returns the variables that can be templates.
func (e environment) templates() map[string]string {
	known := make(map[string]bool)
	for _, v := range envVariables() {
		known[v.name] = true
	}
	found := make(map[string]string)
	for name, value := range e {
		template, isTemplate := strings.CutPrefix(name, templatePrefix)
		if isTemplate && value != "" && !known[name] && !strings.HasPrefix(name, certificateVariable) {
			found[template] = value
		}
	}
	return found
}

// sandboxTemplates returns the folder of templates in the Mesos sandbox (contract 1.1
// step 4), which need not exist; empty without a sandbox.
func (e environment) sandboxTemplates() string {
	if sandbox := e.get("MESOS_SANDBOX"); sandbox != "" {
		return path.Join(sandbox, "templates")
	}
	return ""
}

// defaultOptions returns HAProxy's default options: trimmed, without empty ones
// and duplicates, sorted. A variable that is set but empty means none (D6).
func (e environment) defaultOptions() []string {
	value, set := e["HAPROXY_GLOBAL_DEFAULT_OPTIONS"]
	if !set {
		value = "redispatch,http-server-close,dontlognull"
	}
	words := commaList(value)
	slices.Sort(words)
	return slices.Compact(words)
}

// commaList splits at commas, trims the elements and drops empty ones.
func commaList(value string) []string {
	var words []string
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

const (
	certificateVariable = "HAPROXY_SSL_CERT"
	// lastCertificate is the highest number of a certificate's variable.
	lastCertificate = 100
)

// Certificates says which certificates the HTTPS listener offers and which of
// their files have to be made first (contract 1.1 step 3, with D4 to D6).
type Certificates struct {
	// List are the files and folders, in order; the first is the default
	// certificate. It is never empty.
	List []string
	// Files are to be written before HAProxy starts, mode 0600.
	Files []CertificateFile
	// SelfSigned is the file that gets a self-signed certificate if it does not
	// hold a pair that can be loaded. Empty: none is wanted.
	SelfSigned string
}

// CertificateFile is a certificate from the environment and the file it goes to.
type CertificateFile struct {
	Path string
	PEM  Secret
}

// certificates computes the effective list. flags is the value of --ssl-certs,
// empty when it was not given; folder is where certificates of the environment
// and the self-signed one go. The environment counts in the container form only.
func (e environment) certificates(flags, folder string, container bool) Certificates {
	first := path.Join(folder, "cert.pem")
	given := commaList(flags)
	switch {
	case container && e.get(certificateVariable) != "":
		files := e.certificateFiles(folder)
		for _, f := range files {
			given = append(given, f.Path)
		}
		return Certificates{List: given, Files: files}
	case len(given) > 0:
		return Certificates{List: given}
	case container:
		return Certificates{List: []string{first}, SelfSigned: first}
	default:
		return Certificates{List: []string{first}}
	}
}

// certificateFiles returns the certificates in the environment, in order.
func (e environment) certificateFiles(folder string) []CertificateFile {
	lineBreaks := strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\\`, `\`)
	var files []CertificateFile
	add := func(number string) {
		if pem := e.get(certificateVariable + number); pem != "" {
			files = append(files, CertificateFile{
				Path: path.Join(folder, "cert"+number+".pem"),
				PEM:  NewSecret(lineBreaks.Replace(pem)),
			})
		}
	}
	add("")
	for i := range lastCertificate + 1 {
		add(strconv.Itoa(i))
	}
	return files
}
