package contract_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// replacedStages replace every template by a variable and by a file; labels have a
// stage of their own.
func replacedStages() []stage {
	shared := slices.Concat(httpTemplates(), httpsTemplates(), serviceTemplates(), rewritingTemplates(), checkTemplates(), unusedTemplates())
	grouped, maps := []string{"--group-https-by-vhost"}, []string{"--haproxy-map"}
	var stages []stage
	for _, from := range []source{byVariable, byFile} {
		stages = append(stages,
			replacedStage("templates", from, nil, shared), replacedStage("servers", from, nil, serverTemplates()),
			replacedStage("heads", from, nil, headTemplates()), replacedStage("grouped", from, grouped, groupedTemplates()),
			replacedStage("maps", from, maps, mapTemplates()))
	}
	return stages
}

// Two ways in which a service has several hosts or a path.
const auth = "r:bob:" + hash

// labelled returns labels, given as pairs without HAPROXY_0_.
func labelled(pairs ...string) map[string]string {
	labels := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		labels["HAPROXY_0_"+pairs[i]] = pairs[i+1]
	}
	return labels
}

// several are two hosts, of which the first is the app's own.
func several(template string) string {
	name := "o-" + strings.ToLower(strings.ReplaceAll(template, "_", "-")) + ".example"
	return name + ",second-" + name
}

// showWeb shows a mark on port 80, with the password where there is one.
func showWeb(t *testing.T, s scene, u use) {
	t.Helper()
	r := s.Web(u.host(), "/in")
	if u.app.labels["HAPROXY_0_AUTH"] != "" {
		expect(t, r, code(http.StatusUnauthorized))
		r = r.WithLogin("bob", password)
	}
	expect(t, r, code(http.StatusOK), u.isMarked(s))
}

// showSecure shows a mark on port 443, with the password where there is one.
func showSecure(t *testing.T, s scene, u use) {
	t.Helper()
	r := s.Secure(u.host(), "/in")
	if u.app.labels["HAPROXY_0_AUTH"] != "" {
		expect(t, r, code(http.StatusUnauthorized))
		r = r.WithLogin("bob", password)
	}
	expect(t, r, code(http.StatusOK), u.isMarked(s))
}

func httpTemplates() []replacement {
	return []replacement{
		{
			template: "HTTP_FRONTEND_ACL", marked: []string{"cleanedUpHostname", "hostname", "backend", "appId"}, show: showWeb,
			text: "  acl host_{cleanedUpHostname} hdr(host) -i {hostname}\n  @MARK@ if host_{cleanedUpHostname}\n" +
				"  use_backend {backend} if host_{cleanedUpHostname}\n",
		},
		{
			template: "HTTP_FRONTEND_ACL_WITH_AUTH", marked: []string{"cleanedUpHostname", "hostname", "backend", "appId"}, show: showWeb,
			labels: labelled("AUTH", auth),
			text: "  acl host_{cleanedUpHostname} hdr(host) -i {hostname}\n  acl auth_{cleanedUpHostname} http_auth(user_{backend})\n" +
				"  http-request auth realm {realm} if host_{cleanedUpHostname} !auth_{cleanedUpHostname}\n" +
				"  @MARK@ if host_{cleanedUpHostname}\n  use_backend {backend} if host_{cleanedUpHostname}\n",
		},
		{
			template: "HTTP_FRONTEND_ACL_WITH_PATH", marked: []string{"cleanedUpHostname", "hostname", "path", "backend", "appId"}, show: showWeb,
			labels: labelled("PATH", "/in"),
			text: "  acl host_{cleanedUpHostname} hdr(host) -i {hostname}\n  acl path_{backend} path_beg {path}\n" +
				"  @MARK@ if host_{cleanedUpHostname}\n  use_backend {backend} if host_{cleanedUpHostname} path_{backend}\n",
		},
		{
			template: "HTTP_FRONTEND_ACL_WITH_AUTH_AND_PATH", marked: []string{"cleanedUpHostname", "hostname", "path", "backend", "appId"},
			show: showWeb, labels: labelled("PATH", "/in", "AUTH", auth),
			text: "  acl host_{cleanedUpHostname} hdr(host) -i {hostname}\n  acl path_{backend} path_beg {path}\n" +
				"  acl auth_{cleanedUpHostname} http_auth(user_{backend})\n" +
				"  http-request auth realm {realm} if host_{cleanedUpHostname} path_{backend} !auth_{cleanedUpHostname}\n" +
				"  @MARK@ if host_{cleanedUpHostname}\n  use_backend {backend} if host_{cleanedUpHostname} path_{backend}\n",
		},
		{
			template: "HTTP_FRONTEND_ACL_ONLY", marked: []string{"cleanedUpHostname", "hostname"}, show: showWeb,
			labels: labelled("VHOST", several("HTTP_FRONTEND_ACL_ONLY")),
			text:   "  acl host_{cleanedUpHostname} hdr(host) -i {hostname}\n  @MARK@ if {{ hdr(host) -i {hostname} }}\n",
		},
		{
			template: "HTTP_FRONTEND_ACL_ONLY_WITH_PATH", marked: []string{"path", "backend", "cleanedUpHostname", "hostname"}, show: showWeb,
			labels: labelled("VHOST", several("HTTP_FRONTEND_ACL_ONLY_WITH_PATH"), "PATH", "/in"),
			text:   "  acl path_{backend} path_beg {path}\n  @MARK@ if {{ hdr(host) -i {hostname} }}\n",
		},
		{
			template: "HTTP_FRONTEND_ACL_ONLY_WITH_PATH_AND_AUTH", marked: []string{"path", "backend", "cleanedUpHostname", "hostname"}, show: showWeb,
			labels: labelled("VHOST", several("HTTP_FRONTEND_ACL_ONLY_WITH_PATH_AND_AUTH"), "PATH", "/in", "AUTH", auth),
			text: "  acl path_{backend} path_beg {path}\n  acl auth_{cleanedUpHostname} http_auth(user_{backend})\n" +
				"  http-request auth realm {realm} if {{ hdr(host) -i {hostname} }} !auth_{cleanedUpHostname}\n" +
				"  @MARK@ if {{ hdr(host) -i {hostname} }}\n",
		},
		{
			template: "HTTP_FRONTEND_ROUTING_ONLY", marked: []string{"cleanedUpHostname", "backend"}, show: showWeb,
			labels: labelled("VHOST", several("HTTP_FRONTEND_ROUTING_ONLY")),
			text:   "  @MARK@ if host_{cleanedUpHostname}\n  use_backend {backend} if host_{cleanedUpHostname}\n",
		},
		{
			template: "HTTP_FRONTEND_ROUTING_ONLY_WITH_AUTH", marked: []string{"cleanedUpHostname", "backend"}, show: showWeb,
			labels: labelled("VHOST", several("HTTP_FRONTEND_ROUTING_ONLY_WITH_AUTH"), "AUTH", auth),
			text: "  acl auth_{cleanedUpHostname} http_auth(user_{backend})\n" +
				"  http-request auth realm {realm} if host_{cleanedUpHostname} !auth_{cleanedUpHostname}\n" +
				"  @MARK@ if host_{cleanedUpHostname}\n  use_backend {backend} if host_{cleanedUpHostname}\n",
		},
		{
			template: "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH", marked: []string{"cleanedUpHostname", "backend"}, show: showWeb,
			labels: labelled("VHOST", several("HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH"), "PATH", "/in"),
			text:   "  @MARK@ if host_{cleanedUpHostname}\n  use_backend {backend} if host_{cleanedUpHostname} path_{backend}\n",
		},
		{
			template: "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH", marked: []string{"cleanedUpHostname", "backend"}, show: showWeb,
			labels: labelled("VHOST", several("HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH"), "PATH", "/in", "AUTH", auth),
			text: "  http-request auth realm {realm} if host_{cleanedUpHostname} path_{backend} !auth_{cleanedUpHostname}\n" +
				"  @MARK@ if host_{cleanedUpHostname}\n  use_backend {backend} if host_{cleanedUpHostname} path_{backend}\n",
		},
		{
			template: "BACKEND_REDIRECT_HTTP_TO_HTTPS", labels: labelled("REDIRECT_TO_HTTPS", "true"),
			text: "  http-request redirect code 302 location https://mark/<{bindAddr}><{cleanedUpHostname}> if host_{cleanedUpHostname}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/"), code(http.StatusFound), u.sent(s, "https://mark/", "bindAddr", "cleanedUpHostname"))
			},
		},
		{
			template: "BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH", labels: labelled("REDIRECT_TO_HTTPS", "true", "PATH", "/in"),
			text: "  http-request redirect code 302 location https://mark/<{bindAddr}><{cleanedUpHostname}><{backend}> if host_{cleanedUpHostname} path_{backend}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/in"), code(http.StatusFound), u.sent(s, "https://mark/", "bindAddr", "cleanedUpHostname", "backend"))
			},
		},
		{
			template: "HTTP_FRONTEND_APPID_ACL", marked: []string{"cleanedUpAppId", "hostname", "appId", "backend"},
			text: "  acl app_{cleanedUpAppId} hdr(x-marathon-app-id) -i {appId}\n  @MARK@ if app_{cleanedUpAppId}\n" +
				"  use_backend {backend} if app_{cleanedUpAppId}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.ByID(u.app.id, "/"), u.isMarked(s))
			},
		},
	}
}

func httpsTemplates() []replacement {
	return []replacement{
		{
			template: "HTTPS_FRONTEND_ACL", marked: []string{"cleanedUpHostname", "hostname", "appId", "backend"}, show: showSecure,
			text: "  @MARK@ if {{ ssl_fc_sni {hostname} }}\n  use_backend {backend} if {{ ssl_fc_sni {hostname} }}\n",
		},
		{
			template: "HTTPS_FRONTEND_ACL_WITH_AUTH", marked: []string{"cleanedUpHostname", "hostname", "appId", "backend"}, show: showSecure,
			labels: labelled("AUTH", auth),
			text: "  acl auth_{cleanedUpHostname} http_auth(user_{backend})\n" +
				"  http-request auth realm {realm} if {{ ssl_fc_sni {hostname} }} !auth_{cleanedUpHostname}\n" +
				"  @MARK@ if {{ ssl_fc_sni {hostname} }}\n  use_backend {backend} if {{ ssl_fc_sni {hostname} }}\n",
		},
		{
			template: "HTTPS_FRONTEND_ACL_ONLY_WITH_PATH", marked: []string{"path", "backend", "cleanedUpHostname", "hostname"}, show: showSecure,
			labels: labelled("PATH", "/in", "AUTH", auth),
			text: "  acl path_{backend} path_beg {path}\n  @MARK@ if {{ ssl_fc_sni {hostname} }}\n" +
				"  http-request add-header X-Forwarded-Host 'realm <{realm}>' if {{ ssl_fc_sni {hostname} }}\n",
		},
		{
			template: "HTTPS_FRONTEND_ACL_WITH_PATH", marked: []string{"cleanedUpHostname", "hostname", "appId", "backend"}, show: showSecure,
			labels: labelled("PATH", "/in"),
			text:   "  @MARK@ if {{ ssl_fc_sni {hostname} }}\n  use_backend {backend} if {{ ssl_fc_sni {hostname} }} path_{backend}\n",
		},
		{
			template: "HTTPS_FRONTEND_ACL_WITH_AUTH_AND_PATH", marked: []string{"cleanedUpHostname", "hostname", "appId", "backend", "path"}, show: showSecure,
			labels: labelled("PATH", "/in", "AUTH", auth),
			text: "  acl auth_{cleanedUpHostname} http_auth(user_{backend})\n" +
				"  http-request auth realm {realm} if {{ ssl_fc_sni {hostname} }} path_{backend} !auth_{cleanedUpHostname}\n" +
				"  @MARK@ if {{ ssl_fc_sni {hostname} }}\n  use_backend {backend} if {{ ssl_fc_sni {hostname} }} path_{backend}\n",
		},
	}
}

func serviceTemplates() []replacement {
	return []replacement{
		{
			template: "USERLIST_HEAD", labels: labelled("AUTH", auth),
			text: "\nuserlist user_{backend}\n  user {user} password {passwd}\n  user second insecure-password guess\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/"), code(http.StatusUnauthorized))
				expect(t, s.Web(u.host(), "/").WithLogin("second", "guess"), by(u.app.id))
				expect(t, s.Web(u.host(), "/").WithLogin("bob", password), by(u.app.id))
			},
		},
		{
			template: "FRONTEND_HEAD", marked: []string{"backend", "bindAddr", "servicePort", "mode", "sslCert", "bindOptions"},
			labels: labelled("SSL_CERT", folder+"/site.pem", "BIND_OPTIONS", "backlog 99"),
			text:   "\nfrontend {backend}\n  bind {bindAddr}:{servicePort}{sslCert}{bindOptions}\n  mode {mode}\n  @MARK@\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				r := s.Port(u.app.ports[0], "/")
				r.URL = strings.Replace(r.URL, "http:", "https:", 1)
				expect(t, r, u.isMarked(s))
			},
		},
		{
			template: "FRONTEND_BACKEND_GLUE", marked: []string{"backend"}, text: "  @MARK@\n  use_backend {backend}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Port(u.app.ports[0], "/"), u.isMarked(s))
			},
		},
		{
			template: "BACKEND_HEAD", marked: []string{"backend", "balance", "mode"}, show: showWeb,
			text: "\nbackend {backend}\n  balance {balance}\n  mode {mode}\n  @MARK@\n",
		},
		{
			template: "BACKEND_STICKY_OPTIONS", labels: labelled("STICKY", "true"),
			text: "  cookie o_sticky insert indirect nocache\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				task := s.cluster.Ready(u.app.id)[0]
				cookie := "o_sticky=" + cookieOf(serverName(task.Address, task.Ports[0])) + "; path=/"
				expect(t, s.Web(u.host(), "/"), by(u.app.id), header("Set-Cookie", cookie))
			},
		},
		{
			template: "HTTP_BACKEND_NETWORK_ALLOWED_ACL", marked: []string{"network_allowed"},
			labels: labelled("BACKEND_NETWORK_ALLOWED_ACL", "127.3.0.0/16"),
			text:   "  acl network_allowed src {network_allowed} 127.44.0.0/16\n  @MARK@\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/").WithFrom("127.3.0.1"), u.isMarked(s))
				expect(t, s.Web(u.host(), "/").WithFrom("127.44.0.1"), u.isMarked(s))
				expect(t, s.Web(u.host(), "/").WithFrom("127.55.0.1"), refused)
			},
		},
		{
			template: "TCP_BACKEND_NETWORK_ALLOWED_ACL", labels: labelled("VHOST", "", "MODE", "tcp", "BACKEND_NETWORK_ALLOWED_ACL", "127.3.0.0/16"),
			text: "  acl network_allowed src {network_allowed} 127.44.0.0/16\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Port(u.app.ports[0], "/").WithFrom("127.3.0.1"), by(u.app.id))
				expect(t, s.Port(u.app.ports[0], "/").WithFrom("127.44.0.1"), by(u.app.id))
			},
		},
		{
			template: "HTTP_BACKEND_ACL_ALLOW_DENY", labels: labelled("BACKEND_NETWORK_ALLOWED_ACL", "127.3.0.0/16"),
			text: "  http-request allow if network_allowed\n  http-request deny deny_status 429\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/").WithFrom("127.3.0.1"), by(u.app.id))
				expect(t, s.Web(u.host(), "/").WithFrom("127.55.0.1"), code(http.StatusTooManyRequests))
			},
		},
		{
			template: "TCP_BACKEND_ACL_ALLOW_DENY",
			labels:   labelled("VHOST", "", "MODE", "tcp", "BACKEND_NETWORK_ALLOWED_ACL", "127.3.0.0/16"),
			text:     "  tcp-request content accept if network_allowed\n  tcp-request content accept if { src 127.45.0.0/16 }\n  tcp-request content reject\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Port(u.app.ports[0], "/").WithFrom("127.45.0.1"), by(u.app.id))
				expectClosed(t, s.Port(u.app.ports[0], "/").WithFrom("127.55.0.1"))
			},
		},
	}
}

func rewritingTemplates() []replacement {
	return []replacement{
		{
			template: "BACKEND_HTTP_OPTIONS", text: "  http-request set-header X-Forwarded-Port changed\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/"), by(u.app.id), said("x-forwarded-port", "changed"))
			},
		},
		{
			template: "BACKEND_HSTS_OPTIONS", labels: labelled("USE_HSTS", "true"),
			text: "  http-response set-header Strict-Transport-Security max-age=7\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/"), by(u.app.id), header("Strict-Transport-Security", "max-age=7"))
			},
		},
		{
			template: "HTTP_BACKEND_PROXYPASS_GLUE", marked: []string{"hostname", "proxypath"}, labels: labelled("HTTP_BACKEND_PROXYPASS_PATH", "/cut"),
			text: "  @MARK@\n  http-request replace-path ^{proxypath}/(.*) /changed/\\1\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/cut/x"), u.isMarked(s), said("path", "/changed/x"))
			},
		},
		{
			template: "HTTP_BACKEND_REVPROXY_GLUE", labels: labelled("HTTP_BACKEND_REVPROXY_PATH", "/outside"),
			text: "  http-response set-header Location {rootpath}?{hostname}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/"), by(u.app.id), header("Location", "/outside?"+u.host()))
			},
		},
		{
			template: "HTTP_BACKEND_REDIR", labels: labelled("HTTP_BACKEND_REDIR", "/start"),
			text: "  http-request redirect code 302 location {redirpath}?{hostname} if {{ path / }}\n",
			show: func(t *testing.T, s scene, u use) {
				t.Helper()
				expect(t, s.Web(u.host(), "/"), code(http.StatusFound), header("Location", "/start?"+u.host()))
			},
		},
	}
}
