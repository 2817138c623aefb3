package templates

import "slices"

// Scope says who may replace a template.
type Scope string

// The scopes.
const (
	// Global templates are replaced by a file or a variable, for all services.
	Global Scope = "global"
	// PerApp templates are replaced by a label of a service too.
	PerApp Scope = "per-app"
)

// Format says how a text that replaces a template is read.
type Format string

// The formats.
const (
	// Raw texts are pasted as they are.
	Raw Format = "raw"
	// Formatted texts hold {placeholders}, and every other brace twice.
	Formatted Format = "formatted"
)

// Entry describes a template. No field is for the caller to change.
type Entry struct {
	// Name is the name without HAPROXY_, such as BACKEND_HEAD.
	Name string
	// Scope and Format are the contract's (5.1).
	Scope  Scope
	Format Format
	// Placeholders are the names that the contract promises to every use of the
	// template. A text may use the name of any other template too, which then
	// may be empty.
	Placeholders []string
	// Partial are the names that marathon-lb gave to some uses only; mlb to all.
	Partial []string
	// Own are the names that mlb's own text needs beside them: addresses and
	// options of the instance (haproxy/render's Frame), and conditions and patterns
	// made from a service's hosts and paths (haproxy's RewriteValues).
	Own []string
	// Unused says that the template is known but never used (D39).
	Unused bool
}

// Label returns the name of the label that replaces the template for the service of
// a port index, with {n} in the index's place; empty if there is none.
func (e Entry) Label() string {
	if e.Scope == Global {
		return ""
	}
	return prefix + "{n}_" + e.Name
}

// Variable returns the name of the template's file and of its variable.
func (e Entry) Variable() string { return prefix + e.Name }

// Table returns all templates in the order of the configuration that they make.
func Table() []Entry {
	return slices.Concat(frameTemplates(), ruleTemplates(), backendTemplates())
}

// Lookup returns the entry of a name (without HAPROXY_) and whether there is one.
func Lookup(name string) (Entry, bool) {
	table := Table()
	i := slices.IndexFunc(table, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return table[i], true
}

// checkPlaceholders are the placeholders of the health check templates (contract
// 4.5).
func checkPlaceholders() []string {
	return []string{
		"healthCheck", "healthCheckPortIndex", "healthCheckPort", "healthCheckProtocol", "healthCheckPath",
		"healthCheckTimeoutSeconds", "healthCheckIntervalSeconds", "healthCheckGracePeriodSeconds",
		"healthCheckMaxConsecutiveFailures", "healthCheckFalls", "healthCheckPortOptions",
	}
}

// frameTemplates are the heads, and what leads from a service port to its backend (contract 5.2).
func frameTemplates() []Entry {
	return []Entry{
		{
			Name: "HEAD", Scope: Global, Format: Raw,
			Own: []string{"adminSocket", "defaultOptions", "exporter", "hardStopAfter", "identity", "maxConn", "serverStateFile", "statsBind", "statsSocket"},
		},
		{
			Name: "USERLIST_HEAD", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"backend", "user", "passwd"},
		},
		{
			Name: "HTTP_FRONTEND_HEAD", Scope: Global, Format: Raw,
			Own: []string{"httpBind"},
		},
		{
			Name: "HTTP_FRONTEND_APPID_HEAD", Scope: Global, Format: Raw,
			Own: []string{"appIdBind"},
		},
		{
			Name: "HTTPS_GROUPED_FRONTEND_HEAD", Scope: Global, Format: Raw,
			Own: []string{"httpsBind"},
		},
		{
			Name: "HTTPS_FRONTEND_HEAD", Scope: Global, Format: Formatted,
			Placeholders: []string{"sslCerts"},
			Own:          []string{"alpn", "httpsBind"},
		},
		{
			Name: "HTTPS_GROUPED_VHOST_FRONTEND_ACL", Scope: Global, Format: Formatted,
			Placeholders: []string{"backend", "host"},
		},
		{
			Name: "HTTPS_GROUPED_VHOST_BACKEND_HEAD", Scope: Global, Format: Formatted,
			Placeholders: []string{"name"},
		},
		{
			Name: "HTTPS_GROUPED_VHOST_FRONTEND_HEAD", Scope: Global, Format: Formatted,
			Placeholders: []string{"name", "sslCerts", "bindOpts"},
		},
		{
			Name: "FRONTEND_HEAD", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"backend", "bindAddr", "servicePort", "mode", "sslCert", "bindOptions"},
		},
		{
			Name: "FRONTEND_BACKEND_GLUE", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"backend"},
		},
		{
			Name: "BACKEND_HEAD", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"backend", "balance", "mode"},
		},
	}
}

// ruleTemplates are the rules for hosts and app ids (contract 5.3).
func ruleTemplates() []Entry {
	return []Entry{
		{
			Name: "HTTP_FRONTEND_ACL", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname", "backend"},
			Partial:      []string{"appId"},
		},
		{
			Name: "HTTP_FRONTEND_ACL_WITH_AUTH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname", "appId", "realm", "backend"},
		},
		{
			Name: "HTTP_FRONTEND_ACL_WITH_PATH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname", "path", "appId", "backend"},
		},
		{
			Name: "HTTP_FRONTEND_ACL_WITH_AUTH_AND_PATH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname", "path", "appId", "realm", "backend"},
		},
		{
			Name: "HTTP_FRONTEND_ACL_ONLY", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname"},
		},
		{
			Name: "HTTP_FRONTEND_ACL_ONLY_WITH_PATH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"path", "backend"},
			Partial:      []string{"cleanedUpHostname", "hostname"},
		},
		{
			Name: "HTTP_FRONTEND_ACL_ONLY_WITH_PATH_AND_AUTH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"path", "cleanedUpHostname", "hostname", "realm", "backend"},
		},
		{
			Name: "HTTP_FRONTEND_ROUTING_ONLY", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "backend"},
		},
		{
			Name: "HTTP_FRONTEND_ROUTING_ONLY_WITH_AUTH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "realm", "backend"},
		},
		{
			Name: "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "backend"},
		},
		{
			Name: "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "realm", "backend"},
		},
		{
			Name: "HTTPS_FRONTEND_ACL", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname", "appId", "backend"},
			Own:          []string{"tlsHost"},
		},
		{
			Name: "HTTPS_FRONTEND_ACL_WITH_AUTH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname", "appId", "realm", "backend"},
			Own:          []string{"tlsHost"},
		},
		{
			Name: "HTTPS_FRONTEND_ACL_ONLY_WITH_PATH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"path", "backend"},
			Partial:      []string{"cleanedUpHostname", "hostname", "realm"},
		},
		{
			Name: "HTTPS_FRONTEND_ACL_WITH_PATH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname", "appId", "backend"},
			Own:          []string{"tlsHost"},
		},
		{
			Name: "HTTPS_FRONTEND_ACL_WITH_AUTH_AND_PATH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "hostname", "appId", "realm", "backend"},
			Partial:      []string{"path"},
			Own:          []string{"tlsHost"},
		},
		{
			Name: "BACKEND_REDIRECT_HTTP_TO_HTTPS", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"bindAddr", "cleanedUpHostname"},
		},
		{
			Name: "BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"bindAddr", "cleanedUpHostname", "backend"},
		},
		{
			Name: "HTTP_FRONTEND_APPID_ACL", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"cleanedUpAppId", "hostname", "appId", "backend"},
		},
		{
			Name: "MAP_HTTP_FRONTEND_ACL", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"haproxy_dir"},
		},
		{
			Name: "MAP_HTTP_FRONTEND_ACL_ONLY", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"haproxy_dir"},
		},
		{
			Name: "MAP_HTTPS_FRONTEND_ACL", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"hostname", "haproxy_dir"},
			Own:          []string{"tlsHost"},
		},
		{
			Name: "MAP_HTTP_FRONTEND_APPID_ACL", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"haproxy_dir"},
		},
		{
			Name: "HTTPS_FRONTEND_AUTH_ACL_ONLY", Scope: Global, Format: Formatted,
			Placeholders: []string{"cleanedUpHostname", "backend"},
			Unused:       true,
		},
		{
			Name: "HTTPS_FRONTEND_AUTH_REQUEST_ONLY", Scope: Global, Format: Formatted,
			Placeholders: []string{"realm", "hostname", "cleanedUpHostname"},
			Own:          []string{"tlsHost"},
			Unused:       true,
		},
		{
			Name: "HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH", Scope: Global, Format: Formatted,
			Placeholders: []string{"realm", "cleanedUpHostname", "backend"},
			Unused:       true,
		},
	}
}

// backendTemplates are the parts of a backend (contract 5.4).
func backendTemplates() []Entry {
	return []Entry{
		{
			Name: "BACKEND_HTTP_OPTIONS", Scope: PerApp, Format: Raw,
		},
		{
			Name: "BACKEND_HSTS_OPTIONS", Scope: PerApp, Format: Raw,
		},
		{
			Name: "HTTP_BACKEND_PROXYPASS_GLUE", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"hostname", "proxypath"},
			Own:          []string{"proxyPattern", "setHost"},
		},
		{
			Name: "HTTP_BACKEND_REVPROXY_GLUE", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"hostname", "rootpath"},
			Own:          []string{"locationPattern", "rootTarget"},
		},
		{
			Name: "HTTP_BACKEND_REDIR", Scope: Global, Format: Formatted,
			Placeholders: []string{"hostname", "redirpath"},
			Own:          []string{"ofHosts", "redirTarget"},
		},
		{
			Name: "HTTP_BACKEND_NETWORK_ALLOWED_ACL", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"network_allowed"},
		},
		{
			Name: "HTTP_BACKEND_ACL_ALLOW_DENY", Scope: Global, Format: Raw,
		},
		{
			Name: "TCP_BACKEND_NETWORK_ALLOWED_ACL", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"network_allowed"},
		},
		{
			Name: "TCP_BACKEND_ACL_ALLOW_DENY", Scope: Global, Format: Raw,
		},
		{
			Name: "BACKEND_STICKY_OPTIONS", Scope: PerApp, Format: Raw,
		},
		{
			Name: "BACKEND_HTTP_HEALTHCHECK_OPTIONS", Scope: PerApp, Format: Formatted,
			Placeholders: checkPlaceholders(),
		},
		{
			Name: "BACKEND_TCP_HEALTHCHECK_OPTIONS", Scope: PerApp, Format: Formatted,
			Placeholders: checkPlaceholders(),
		},
		{
			Name: "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", Scope: PerApp, Format: Formatted,
			Placeholders: checkPlaceholders(),
		},
		{
			Name: "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS", Scope: PerApp, Format: Formatted,
			Placeholders: checkPlaceholders(),
		},
		{
			Name: "BACKEND_SERVER_OPTIONS", Scope: PerApp, Format: Formatted,
			Placeholders: []string{"serverName", "host_ipv4", "host", "port", "serverId", "cookieOptions", "healthCheckOptions", "otherOptions"},
		},
	}
}
