package contract_test

import (
	"net/http"
	"testing"

	"mlb/test/balancer"
)

// healthPlaceholders are those of health checks, without the ones that differ by
// level.
func healthPlaceholders() []string {
	return []string{
		"healthCheckPortIndex", "healthCheckPort", "healthCheckPath", "healthCheckTimeoutSeconds", "healthCheckIntervalSeconds",
		"healthCheckGracePeriodSeconds", "healthCheckMaxConsecutiveFailures", "healthCheckFalls",
	}
}

// checkTemplates are the health checks of whole backends.
func checkTemplates() []replacement {
	marked := healthPlaceholders()
	return []replacement{
		{
			template: "BACKEND_HTTP_HEALTHCHECK_OPTIONS", marked: marked, more: checkOf("HTTP"),
			text: "  option httpchk GET {healthCheckPath}\n  timeout check {healthCheckTimeoutSeconds}s\n  @MARK@\n" +
				"  http-request add-header X-Forwarded-Host 'protocol <{healthCheckProtocol}>{healthCheckPortOptions} {healthCheck}'\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/"), u.isMarked(s), saw("protocol <HTTP> port "), saw(`"path":"/health"`))
			},
		},
		{
			template: "BACKEND_TCP_HEALTHCHECK_OPTIONS", marked: marked, labels: labelled("MODE", "http"), more: checkOf("TCP"),
			text: "  timeout check {healthCheckTimeoutSeconds}s\n  @MARK@\n" +
				"  http-request add-header X-Forwarded-Host 'protocol <{healthCheckProtocol}>{healthCheckPortOptions} {healthCheck}'\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				// Marathon keeps no path for a check of TCP.
				u.marked = nil
				expect(t, s.Web(u.host(), "/"), u.isMarked(s), saw("protocol <TCP> port "), saw(`"protocol":"TCP"`))
			},
		},
	}
}

// serverTemplates are the options of servers. HAProxy answers with the prefix that
// the option redir of a server names, so that its text can be seen.
func serverTemplates() []replacement {
	const inline = "check inter {healthCheckIntervalSeconds}s fall {healthCheckFalls}{healthCheckPortOptions} redir 'http://mark/" +
		"<{healthCheckPortIndex}><{healthCheckPath}><{healthCheckTimeoutSeconds}><{healthCheckIntervalSeconds}>" +
		"<{healthCheckGracePeriodSeconds}><{healthCheckMaxConsecutiveFailures}><{healthCheckFalls}>" +
		"<{healthCheckProtocol}><{healthCheckPort}>{healthCheck}'"
	show := func(t *testing.T, s scene, u use) {
		t.Helper()
		expect(t, s.Web(u.host(), "/x"), code(http.StatusFound), u.sent(s, "http://mark/", "healthCheckPortIndex", "healthCheckPath", "healthCheckTimeoutSeconds",
			"healthCheckIntervalSeconds", "healthCheckGracePeriodSeconds", "healthCheckMaxConsecutiveFailures", "healthCheckFalls"))
	}
	return []replacement{
		{
			template: "BACKEND_SERVER_OPTIONS", labels: labelled("STICKY", "true"),
			text: "  server {serverName} {host_ipv4}:{port} id {serverId} redir 'http://mark/<{serverName}><{host_ipv4}><{host}><{port}>" +
				"<{cookieOptions}><{healthCheckOptions}><{otherOptions}><{serverId}>'{cookieOptions}{healthCheckOptions}{otherOptions}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/x"), code(http.StatusFound), u.sent(s, "http://mark/", "serverName", "host_ipv4", "host", "port",
					"cookieOptions", "healthCheckOptions", "otherOptions"))
			},
		},
		{template: "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", more: checkOf("HTTP"), text: inline, show: show},
		{template: "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS", labels: labelled("MODE", "http"), more: checkOf("TCP"), text: inline, show: show},
	}
}

// unusedTemplates are accepted and have no effect.
func unusedTemplates() []replacement {
	var all []replacement
	for name, text := range map[string]string{
		"HTTPS_FRONTEND_AUTH_ACL_ONLY":                   "{cleanedUpHostname} {backend} nonsense\n",
		"HTTPS_FRONTEND_AUTH_REQUEST_ONLY":               "{realm} {hostname} {cleanedUpHostname} nonsense\n",
		"HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH": "{realm} {cleanedUpHostname} {backend} nonsense\n",
	} {
		all = append(all, replacement{
			template: name, text: text,
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Secure(u.host(), "/"), by(u.app.id))
			},
		})
	}
	return all
}

// headTemplates are the beginnings of shared frontends, and HEAD.
func headTemplates() []replacement {
	return []replacement{
		{
			template: "HTTP_FRONTEND_HEAD", show: showWeb,
			text: "\nfrontend marathon_http_in\n  bind @HOST@:8080\n  mode http\n  @MARK@\n",
		},
		{
			template: "HTTPS_FRONTEND_HEAD", show: showSecure,
			text: "\nfrontend marathon_https_in\n  bind @HOST@:8443 ssl {sslCerts}\n  mode http\n  @MARK@\n",
		},
		{
			template: "HTTP_FRONTEND_APPID_HEAD",
			text:     "\nfrontend marathon_http_appid_in\n  bind @HOST@:9091\n  mode http\n  @MARK@\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.ByID(u.app.id, "/"), u.isMarked(s))
			},
		},
		{
			template: "HEAD",
			text: "global\n  # no daemon here\n  maxconn 500\n  stats socket " + folder + "/run/socket expose-fd listeners\n" +
				"defaults\n  retries 3\n  timeout connect 3s\n  timeout client 30s\n  timeout server 30s\n" +
				"listen stats\n  bind @HOST@:9090\n  mode http\n  stats enable\n  stats uri /changed\n  dispatch unix@" + folder + "/run/mlb.sock\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/"), by(u.app.id))
				expect(t, s.Stats("/changed"), code(http.StatusOK), has("Statistics Report"))
			},
		},
	}
}

// groupedTemplates are those of --group-https-by-vhost.
func groupedTemplates() []replacement {
	return []replacement{
		{
			template: "HTTPS_GROUPED_FRONTEND_HEAD",
			text: "\nfrontend marathon_https_in\n  bind @HOST@:8443\n  mode tcp\n  tcp-request connection reject if { src 127.66.0.1 }\n" +
				"  tcp-request inspect-delay 5s\n  tcp-request content accept if { req_ssl_hello_type 1 }\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Secure(u.host(), "/"), by(u.app.id))
				expectClosed(t, s.Secure(u.host(), "/").WithFrom("127.66.0.1"))
			},
		},
		{
			template: "HTTPS_GROUPED_VHOST_FRONTEND_ACL",
			text:     "  use_backend {backend} if {{ req_ssl_sni -i {host} }}\n  use_backend {backend} if {{ req_ssl_sni -i also-{host} }}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Secure(u.host(), "/"), by(u.app.id))
				// The rules behind look at the name too, and know only the real one.
				expect(t, s.Secure("also-"+u.host(), "/"), code(http.StatusServiceUnavailable))
				expectClosed(t, s.Secure("not-"+u.host(), "/"))
			},
		},
		{
			template: "HTTPS_GROUPED_VHOST_BACKEND_HEAD",
			text:     "\nbackend {name}\n  mode tcp\n  tcp-request content reject if {{ src 127.66.0.2 }}\n  server loopback-for-tls abns@{name} send-proxy-v2\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Secure(u.host(), "/"), by(u.app.id))
				expectClosed(t, s.Secure(u.host(), "/").WithFrom("127.66.0.2"))
			},
		},
		{
			template: "HTTPS_GROUPED_VHOST_FRONTEND_HEAD", marked: []string{"name", "sslCerts", "bindOpts"}, show: showSecure,
			labels: labelled("SSL_CERT", folder+"/site.pem", "BIND_OPTIONS", "backlog 99"),
			text:   "\nfrontend {name}\n  bind abns@{name} accept-proxy ssl {sslCerts}{bindOpts}\n  mode http\n  @MARK@\n",
		},
	}
}

// mapTemplates are those of --haproxy-map.
func mapTemplates() []replacement {
	const look = "(host),lower,map({haproxy_dir}/domain2backend.map)"
	return []replacement{
		{
			template: "MAP_HTTP_FRONTEND_ACL", marked: []string{"haproxy_dir"}, show: showWeb,
			text: "  @MARK@\n  use_backend %[req.hdr" + look + "] if {{ req.hdr" + look + " -m found }}\n",
		},
		{
			template: "MAP_HTTP_FRONTEND_ACL_ONLY", marked: []string{"haproxy_dir"}, show: showWeb,
			labels: labelled("VHOST", several("MAP_HTTP_FRONTEND_ACL_ONLY")),
			text:   "  @MARK@\n  use_backend %[req.hdr" + look + "] if {{ req.hdr" + look + " -m found }}\n",
		},
		{
			template: "MAP_HTTPS_FRONTEND_ACL", marked: []string{"haproxy_dir"}, show: showSecure,
			text: "  @MARK@\n  use_backend %[ssl_fc_sni,lower,map({haproxy_dir}/domain2backend.map)] if {{ ssl_fc_sni,lower,map({haproxy_dir}/domain2backend.map) -m found }}\n",
		},
		{
			template: "MAP_HTTP_FRONTEND_APPID_ACL", marked: []string{"haproxy_dir"},
			text: "  @MARK@\n  use_backend %[req.hdr(x-marathon-app-id),lower,map({haproxy_dir}/app2backend.map)] " +
				"if {{ req.hdr(x-marathon-app-id),lower,map({haproxy_dir}/app2backend.map) -m found }}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.ByID(u.app.id, "/"), u.isMarked(s))
			},
		},
	}
}

// saw wishes for a text in what the task saw as X-Forwarded-Host.
func saw(text string) wish {
	return func(a balancer.Answer) error {
		return contains(a.Said("x-forwarded-host"), text)
	}
}
