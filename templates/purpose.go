package templates

// Purpose returns what a template is for, as one sentence (contract 5.2 to 5.4); empty
// for a name that is no template.
func Purpose(name string) string {
	switch name {
	case "HEAD":
		return "The sections `global` and `defaults` and the statistics listener: the beginning of every configuration."
	case "USERLIST_HEAD":
		return "The user list of a service with a password."
	case "HTTP_FRONTEND_HEAD":
		return "The frontend for virtual hosts on port 80."
	case "HTTP_FRONTEND_APPID_HEAD":
		return "The frontend on port 9091, where a header names the app."
	case "HTTPS_FRONTEND_HEAD":
		return "The frontend for virtual hosts on port 443, unless HTTPS is grouped by host."
	case "HTTPS_GROUPED_FRONTEND_HEAD":
		return "The frontend on port 443 that looks at the server name only, with `--group-https-by-vhost`."
	case "HTTPS_GROUPED_VHOST_FRONTEND_ACL":
		return "The rule that leads a server name to its virtual host, with `--group-https-by-vhost`."
	case "HTTPS_GROUPED_VHOST_BACKEND_HEAD":
		return "The backend that hands connections on to a virtual host's own frontend, with `--group-https-by-vhost`."
	case "HTTPS_GROUPED_VHOST_FRONTEND_HEAD":
		return "The frontend of one virtual host, which ends TLS with its certificates, with `--group-https-by-vhost`."
	case "FRONTEND_HEAD":
		return "The frontend of a service port."
	case "FRONTEND_BACKEND_GLUE":
		return "What leads from the frontend of a service port to its backend."
	case "BACKEND_HEAD":
		return "The beginning of a service's backend."
	}
	if sentence := rulePurpose(name); sentence != "" {
		return sentence
	}
	return backendPurpose(name)
}

// rulePurpose returns the purpose of a template for rules in shared frontends.
func rulePurpose(name string) string {
	switch name {
	case "HTTP_FRONTEND_ACL":
		return "Port 80: the one host of a service, and the way to its backend."
	case "HTTP_FRONTEND_ACL_WITH_AUTH":
		return "Port 80: the one host of a service with a password, and the way to its backend."
	case "HTTP_FRONTEND_ACL_WITH_PATH":
		return "Port 80: the one host and the path of a service, and the way to its backend."
	case "HTTP_FRONTEND_ACL_WITH_AUTH_AND_PATH":
		return "Port 80: the one host and the path of a service with a password, and the way to its backend."
	case "HTTP_FRONTEND_ACL_ONLY":
		return "Port 80: one of several hosts of a service, as a condition only."
	case "HTTP_FRONTEND_ACL_ONLY_WITH_PATH":
		return "Port 80: the path of a service, as a condition only."
	case "HTTP_FRONTEND_ACL_ONLY_WITH_PATH_AND_AUTH":
		return "Port 80: the path and the password of a service, as conditions only."
	case "HTTP_FRONTEND_ROUTING_ONLY":
		return "Port 80: the way from several hosts to the backend."
	case "HTTP_FRONTEND_ROUTING_ONLY_WITH_AUTH":
		return "Port 80: the way from several hosts with a password to the backend."
	case "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH":
		return "Port 80: the way from several hosts with a path to the backend."
	case "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH":
		return "Port 80: the way from several hosts with a path and a password to the backend."
	case "HTTPS_FRONTEND_ACL":
		return "Port 443: the way from a host to the backend."
	case "HTTPS_FRONTEND_ACL_WITH_AUTH":
		return "Port 443: the way from a host with a password to the backend."
	case "HTTPS_FRONTEND_ACL_ONLY_WITH_PATH":
		return "Port 443: the path of a service, as a condition only."
	case "HTTPS_FRONTEND_ACL_WITH_PATH":
		return "Port 443: the way from a host with a path to the backend."
	case "HTTPS_FRONTEND_ACL_WITH_AUTH_AND_PATH":
		return "Port 443: the way from a host with a path and a password to the backend."
	case "BACKEND_REDIRECT_HTTP_TO_HTTPS":
		return "Port 80: the redirect of a host to https."
	case "BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH":
		return "Port 80: the redirect of a host and path to https."
	case "HTTP_FRONTEND_APPID_ACL":
		return "Port 9091: the way from an app ID to the backend."
	case "MAP_HTTP_FRONTEND_ACL":
		return "Port 80, with `--haproxy-map`: the look-up of services that have one host."
	case "MAP_HTTP_FRONTEND_ACL_ONLY":
		return "Port 80, with `--haproxy-map`: the look-up of services that have several hosts."
	case "MAP_HTTPS_FRONTEND_ACL":
		return "Port 443, with `--haproxy-map`: the look-up of hosts."
	case "MAP_HTTP_FRONTEND_APPID_ACL":
		return "Port 9091, with `--haproxy-map`: the look-up of app IDs."
	case "HTTPS_FRONTEND_AUTH_ACL_ONLY", "HTTPS_FRONTEND_AUTH_REQUEST_ONLY", "HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH":
		return "Accepted, and without effect, as in marathon-lb (D39)."
	}
	return ""
}

// backendPurpose returns the purpose of a template for lines of a backend.
func backendPurpose(name string) string {
	switch name {
	case "BACKEND_HTTP_OPTIONS":
		return "What a backend of mode http tells its tasks about the client."
	case "BACKEND_HSTS_OPTIONS":
		return "The header Strict-Transport-Security."
	case "HTTP_BACKEND_PROXYPASS_GLUE":
		return "The removal of a prefix from the path of requests."
	case "HTTP_BACKEND_REVPROXY_GLUE":
		return "The replacement of Location in answers."
	case "HTTP_BACKEND_REDIR":
		return "The redirect of requests for the root. The label of this name holds the path, so this template cannot be given by label (K11)."
	case "HTTP_BACKEND_NETWORK_ALLOWED_ACL":
		return "One allowed network of a backend of mode http, as a condition."
	case "HTTP_BACKEND_ACL_ALLOW_DENY":
		return "What lets only allowed networks pass, in mode http."
	case "TCP_BACKEND_NETWORK_ALLOWED_ACL":
		return "One allowed network of a backend of mode tcp, as a condition."
	case "TCP_BACKEND_ACL_ALLOW_DENY":
		return "What lets only allowed networks pass, in mode tcp."
	case "BACKEND_STICKY_OPTIONS":
		return "The cookie that keeps a client with its task."
	case "BACKEND_HTTP_HEALTHCHECK_OPTIONS":
		return "The health check of a backend of mode http."
	case "BACKEND_TCP_HEALTHCHECK_OPTIONS":
		return "The health check of a backend of mode tcp, or with a check of TCP."
	case "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS":
		return "The options of each server for a health check of mode http."
	case "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS":
		return "The options of each server for a health check of mode tcp, or with a check of TCP."
	case "BACKEND_SERVER_OPTIONS":
		return "The line of one server."
	}
	return ""
}
