package contract_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"mlb/test/balancer"
)

// globalTemplateStage shows templates that are replaced for all services, by
// variables and by files of the folder templates.
func globalTemplateStage() stage {
	return stage{
		name: "templates for all", args: []string{"--haproxy-map", "--ssl-certs", folder + "/site.pem"},
		prepare: func(t *testing.T, s scene) {
			t.Helper()
			writeFile(t, s.Path("site.pem"), newCertificate(t, "site.example"))
			for i, arg := range s.Args {
				s.Args[i] = strings.ReplaceAll(arg, folder, s.Dir)
			}
			for name, text := range templateFiles() {
				writeFile(t, s.Path("templates/HAPROXY_"+name), text)
			}
			for name, text := range templateVariables() {
				s.Env = append(s.Env, "HAPROXY_"+name+"="+strings.ReplaceAll(filled(s, "", text), "\n", `\n`))
			}
		},
		behaviours: append(headBehaviours(), sourceBehaviours()...),
	}
}

// templateVariables are texts of variables by template.
func templateVariables() map[string]string {
	return map[string]string{
		"HEAD": "global\n  stats socket @FOLDER@/run/socket expose-fd listeners\n  maxconn 500\n" +
			"defaults\n  maxconn 321\n  timeout connect 3s\n  timeout client 30s\n  timeout server 30s\n" +
			"listen stats\n  bind @HOST@:9090\n  mode http\n  http-after-response set-header X-Head own\n" +
			"  stats enable\n  stats uri /haproxy?stats\n  acl statistics url_beg /haproxy?stats\n" +
			"  http-request set-header X-Mlb-Client %[src]\n  use_backend mlb unless statistics\n" +
			"backend mlb\n  mode http\n  server mlb unix@@FOLDER@/run/mlb.sock",
		"HTTP_FRONTEND_HEAD": "frontend marathon_http_in\n  bind @HOST@:8080\n  mode http\n" +
			"  http-after-response set-header X-Front '{ http }'",
		"HTTPS_FRONTEND_HEAD": "frontend marathon_https_in\n  bind @HOST@:8443 ssl {sslCerts}\n  mode http\n" +
			"  http-after-response set-header X-Front 'https {sslCerts} {{}}'",
		"HTTP_FRONTEND_APPID_HEAD":                       "frontend marathon_http_appid_in\n  bind @HOST@:9091\n  mode http\n  http-after-response set-header X-Front '{ id }'",
		"HTTP_BACKEND_REDIR":                             "  redirect code 302 location https://{hostname}{redirpath}?moved if {{ path / }}",
		"HTTP_BACKEND_ACL_ALLOW_DENY":                    "  http-request deny deny_status 429 unless network_allowed",
		"TCP_BACKEND_ACL_ALLOW_DENY":                     "  tcp-request content reject if network_allowed",
		"MAP_HTTP_FRONTEND_ACL":                          "  use_backend %[hdr(host),lower,map({haproxy_dir}/domain2backend.map)] if {{ path_beg /in }}",
		"BACKEND_HTTP_OPTIONS":                           "  http-request set-header X-Forwarded-Host variable",
		"BACKEND_HSTS_OPTIONS":                           "",
		"HTTPS_FRONTEND_AUTH_ACL_ONLY":                   "  no directive {cleanedUpHostname} {backend}",
		"HTTPS_FRONTEND_AUTH_REQUEST_ONLY":               "  no directive {realm} {hostname} {cleanedUpHostname}",
		"HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH": "  no directive {realm} {cleanedUpHostname} {backend}",
	}
}

// templateFiles are texts of files by template.
func templateFiles() map[string]string {
	return map[string]string{
		"BACKEND_HTTP_OPTIONS":   "  http-request set-header X-Forwarded-Host file\n",
		"BACKEND_HSTS_OPTIONS":   "  http-response set-header Strict-Transport-Security 'max-age=file\\n'",
		"BACKEND_STICKY_OPTIONS": "",
	}
}

// headBehaviours are those of the heads and of further templates without a label.
func headBehaviours() []behaviour {
	return []behaviour{
		{
			name:   "the variable HAPROXY_HEAD replaces the global part, the defaults and the statistics listener",
			covers: []string{"template HEAD", "D38"},
			show: func(t *testing.T, s scene) {
				expect(t, s.Stats("/haproxy?stats;csv"), header("X-Head", "own"), cell("marathon_http_in", "FRONTEND", "slim", "321"))
				expect(t, s.Stats("/_haproxy_getpids"), code(http.StatusOK), header("X-Head", "own"))
			},
		},
		{
			name: "variables replace the heads of the listeners",
			covers: []string{
				"template HTTP_FRONTEND_HEAD", "template HTTPS_FRONTEND_HEAD", "placeholder HTTPS_FRONTEND_HEAD sslCerts",
				"template HTTP_FRONTEND_APPID_HEAD",
			},
			apps: []app{{id: "/head", ports: []int{10100}, labels: host("head.example", "PATH", "/")}},
			show: func(t *testing.T, s scene) {
				// Raw texts keep their braces, of formatted ones two are one.
				expect(t, s.Web("head.example", "/"), by("/head"), header("X-Front", "{ http }"))
				expect(t, s.Secure("head.example", "/"), by("/head"), header("X-Front", "https crt "+s.Path("site.pem")+" {}"))
				expect(t, s.ByID("/head", "/"), by("/head"), header("X-Front", "{ id }"))
			},
		},
		{
			name: "a variable replaces HTTP_BACKEND_REDIR, while the label of its name holds the path",
			covers: []string{
				"template HTTP_BACKEND_REDIR", "placeholder HTTP_BACKEND_REDIR hostname", "placeholder HTTP_BACKEND_REDIR redirpath", "K11",
			},
			apps: []app{{id: "/redir", ports: []int{10101}, labels: host("redir.example", "PATH", "/", "HTTP_BACKEND_REDIR", "/start")}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("redir.example", "/"), code(http.StatusFound), header("Location", "https://redir.example/start?moved"))
				expect(t, s.Web("redir.example", "/x"), by("/redir"))
			},
		},
		{
			name:   "variables replace what is done about clients of other networks",
			covers: []string{"template HTTP_BACKEND_ACL_ALLOW_DENY", "template TCP_BACKEND_ACL_ALLOW_DENY"},
			apps: []app{
				{id: "/net", ports: []int{10102}, labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL": "127.31.0.0/16"}},
				{id: "/net-tcp", ports: []int{10103}, labels: map[string]string{"HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL": "127.31.0.0/16"}},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Port(10102, "/").WithFrom("127.31.1.1"), by("/net"))
				expect(t, s.Port(10102, "/").WithFrom("127.32.1.1"), code(http.StatusTooManyRequests))
				expect(t, s.Port(10103, "/").WithFrom("127.32.1.1"), by("/net-tcp"))
				expectClosed(t, s.Port(10103, "/").WithFrom("127.31.1.1"))
			},
		},
		{
			name:   "a variable replaces the rule of the domain map",
			covers: []string{"template MAP_HTTP_FRONTEND_ACL", "placeholder MAP_HTTP_FRONTEND_ACL haproxy_dir"},
			apps:   []app{{id: "/mapped", ports: []int{10104}, labels: host("mapped.example")}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("MAPPED.example", "/in"), by("/mapped"))
				expect(t, s.Web("mapped.example", "/out"), code(http.StatusServiceUnavailable))
			},
		},
		{
			name: "three templates are never used: what replaces them has no effect and is reported once",
			covers: []string{
				"D39", "template HTTPS_FRONTEND_AUTH_ACL_ONLY", "placeholder HTTPS_FRONTEND_AUTH_ACL_ONLY cleanedUpHostname",
				"placeholder HTTPS_FRONTEND_AUTH_ACL_ONLY backend", "template HTTPS_FRONTEND_AUTH_REQUEST_ONLY",
				"placeholder HTTPS_FRONTEND_AUTH_REQUEST_ONLY realm", "placeholder HTTPS_FRONTEND_AUTH_REQUEST_ONLY hostname",
				"placeholder HTTPS_FRONTEND_AUTH_REQUEST_ONLY cleanedUpHostname", "template HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH",
				"placeholder HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH realm",
				"placeholder HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH cleanedUpHostname",
				"placeholder HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH backend",
			},
			apps: []app{{id: "/unused", ports: []int{10105}, labels: host("unused-a.example,unused-b.example", "PATH", "/in", "AUTH", office)}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Secure("unused-b.example", "/in").WithLogin("bob", password), by("/unused"))
				log, err := os.ReadFile(s.Path("log"))
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"AUTH_ACL_ONLY", "AUTH_REQUEST_ONLY", "ROUTING_ONLY_WITH_PATH_AND_AUTH"} {
					if n := strings.Count(string(log), "HAPROXY_HTTPS_FRONTEND_"+name+`", "source"`); n != 1 {
						t.Errorf("HTTPS_FRONTEND_%s is reported %d times, want once", name, n)
					}
				}
			},
		},
	}
}

// sourceBehaviours are about where a template is looked up (contract 5.1).
func sourceBehaviours() []behaviour {
	return []behaviour{
		{
			name:   "a template is a label's text, even an empty one, else the variable's, then the file's",
			covers: []string{"label HAPROXY_{n}_BACKEND_HTTP_OPTIONS", "template BACKEND_HTTP_OPTIONS"},
			apps: []app{
				{id: "/source/label", ports: []int{10110}, labels: map[string]string{
					"HAPROXY_0_MODE": "http", "HAPROXY_0_BACKEND_HTTP_OPTIONS": "  http-request set-header X-Forwarded-Host label",
				}},
				{id: "/source/empty", ports: []int{10111}, labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_BACKEND_HTTP_OPTIONS": ""}},
				{id: "/source/variable", ports: []int{10112}, labels: map[string]string{"HAPROXY_0_MODE": "http"}},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Port(10110, "/"), by("/source/label"), said("x-forwarded-host", "label"), said("x-forwarded-for", ""))
				expect(t, s.Port(10111, "/"), by("/source/empty"), said("x-forwarded-host", ""), said("x-forwarded-for", ""))
				expect(t, s.Port(10112, "/"), by("/source/variable"), said("x-forwarded-host", "variable"), said("x-forwarded-for", ""))
			},
		},
		{
			name:   "an empty variable does not count, and a file is taken as it is, even an empty one",
			covers: []string{"template BACKEND_HSTS_OPTIONS", "template BACKEND_STICKY_OPTIONS", "D35"},
			apps: []app{
				{id: "/source/file", ports: []int{10113}, labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_USE_HSTS": "true"}},
				{id: "/source/nothing", ports: []int{10114}, labels: map[string]string{"HAPROXY_0_MODE": "http", "HAPROXY_0_STICKY": "true"}},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Port(10113, "/"), by("/source/file"), header("Strict-Transport-Security", `max-age=file\n`))
				expect(t, s.Port(10114, "/"), by("/source/nothing"), header("Set-Cookie", ""))
			},
		},
	}
}

// groupedStage shows mlb's own templates of grouped HTTPS (contract 5.6).
func groupedStage() stage {
	one, other := uniqueHost("one"), uniqueHost("other")
	return stage{
		name: "grouped https", args: []string{"--group-https-by-vhost"},
		prepare: func(t *testing.T, s scene) {
			t.Helper()
			writeFile(t, s.Path("one.pem"), newCertificate(t, "one.example"))
			writeFile(t, s.Path("other.pem"), newCertificate(t, "other.example"))
		},
		behaviours: []behaviour{{
			name: "TLS is passed on by SNI to a frontend for each host, with the certificates and bind options of its services",
			covers: []string{
				"flag --group-https-by-vhost", "template HTTPS_GROUPED_FRONTEND_HEAD", "template HTTPS_GROUPED_VHOST_FRONTEND_ACL",
				"template HTTPS_GROUPED_VHOST_BACKEND_HEAD", "template HTTPS_GROUPED_VHOST_FRONTEND_HEAD",
			},
			apps: []app{
				{id: "/one", ports: []int{10100}, labels: host(one, "SSL_CERT", folder+"/one.pem", "BIND_OPTIONS", "ssl-max-ver TLSv1.2")},
				{id: "/other", ports: []int{10101}, labels: host(other, "SSL_CERT", folder+"/other.pem")},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Secure(strings.ToUpper(one), "/").WithFrom("127.9.9.9"), by("/one"), said("x-forwarded-for", "127.9.9.9"),
					said("x-forwarded-proto", "https"), shown("one.example", "TLS 1.2"))
				expect(t, s.Secure(other, "/"), by("/other"), shown("other.example", "TLS 1.3"))
				expectClosed(t, s.Secure("unknown.example", "/"))
				expectClosed(t, s.Secure("", "/"))
			},
		}},
	}
}

// shown wishes for a certificate by name and a version of TLS.
func shown(certificate, version string) wish {
	return func(a balancer.Answer) error {
		if a.Certificate != certificate || a.TLS != version {
			return fmt.Errorf("certificate of %q by %s", a.Certificate, a.TLS)
		}
		return nil
	}
}

// uniqueHost is a host of this process alone: with grouped HTTPS it names abstract
// sockets, which are the whole machine's.
func uniqueHost(name string) string { return fmt.Sprintf("%s-%d.example", name, os.Getpid()) }

// groupedTemplateStage shows the templates of grouped HTTPS (contract 5.6), replaced
// by variables.
func groupedTemplateStage() stage {
	vhost := uniqueHost("grouped")
	name := strings.ReplaceAll(vhost, ".", "_")
	return stage{
		name: "templates of grouped https", args: []string{"--group-https-by-vhost"},
		prepare: func(t *testing.T, s scene) {
			t.Helper()
			writeFile(t, s.Path("site.pem"), newCertificate(t, "site.example"))
			for name, text := range map[string]string{
				"HTTPS_GROUPED_FRONTEND_HEAD": "frontend marathon_https_in\n  bind @HOST@:8443\n  mode tcp\n  tcp-request inspect-delay 3s\n" +
					"  tcp-request content reject if { src 127.41.0.0/16 }\n  tcp-request content accept if { req.ssl_hello_type 1 }",
				"HTTPS_GROUPED_VHOST_FRONTEND_ACL": "  use_backend {backend} if {{ req.ssl_sni -i {host} www.{host} }}",
				"HTTPS_GROUPED_VHOST_BACKEND_HEAD": "backend {name}\n  mode tcp\n  server own abns@{name} send-proxy-v2",
				"HTTPS_GROUPED_VHOST_FRONTEND_HEAD": "frontend {name}\n  bind abns@{name} accept-proxy ssl {sslCerts}{bindOpts}\n  mode http\n" +
					"  http-after-response set-header X-Values 'name={name} sslCerts={sslCerts} bindOpts={bindOpts}'",
			} {
				s.Env = append(s.Env, "HAPROXY_"+name+"="+strings.ReplaceAll(filled(s, "", text), "\n", `\n`))
			}
		},
		behaviours: []behaviour{{
			name: "variables replace the sections and rules of grouped https",
			covers: []string{
				"template HTTPS_GROUPED_FRONTEND_HEAD", "template HTTPS_GROUPED_VHOST_FRONTEND_ACL", "template HTTPS_GROUPED_VHOST_BACKEND_HEAD",
				"template HTTPS_GROUPED_VHOST_FRONTEND_HEAD", "placeholder HTTPS_GROUPED_VHOST_FRONTEND_ACL backend",
				"placeholder HTTPS_GROUPED_VHOST_FRONTEND_ACL host", "placeholder HTTPS_GROUPED_VHOST_BACKEND_HEAD name",
				"placeholder HTTPS_GROUPED_VHOST_FRONTEND_HEAD name", "placeholder HTTPS_GROUPED_VHOST_FRONTEND_HEAD sslCerts",
				"placeholder HTTPS_GROUPED_VHOST_FRONTEND_HEAD bindOpts",
			},
			apps: []app{{id: "/grouped", ports: []int{10100}, labels: host(
				vhost, "SSL_CERT", folder+"/site.pem", "BIND_OPTIONS", "ssl-max-ver TLSv1.2",
			)}},
			show: func(t *testing.T, s scene) {
				values := header("X-Values", "name="+name+" sslCerts=crt "+s.Path("site.pem")+" bindOpts= alpn http/1.1 ssl-max-ver TLSv1.2")
				expect(t, s.Secure(vhost, "/"), by("/grouped"), values)
				// The rule of the frontend for all lets the further name in, that of the service does not.
				expect(t, s.Secure("www."+vhost, "/"), code(http.StatusServiceUnavailable), values)
				expectClosed(t, s.Secure(vhost, "/").WithFrom("127.41.1.1"))
				expect(t, s.Stats("/haproxy?stats;csv"), cell(name, "own", "mode", "tcp"))
			},
		}},
	}
}

// cell wishes for a statistics table with a value in the row of a section and one of
// its servers, FRONTEND or BACKEND.
func cell(section, server, column, want string) wish {
	return func(a balancer.Answer) error {
		lines := strings.Split(a.Body, "\n")
		columns := strings.Split(lines[0], ",")
		for _, line := range lines[1:] {
			if !strings.HasPrefix(line, section+","+server+",") {
				continue
			}
			for i, field := range strings.Split(line, ",") {
				if i < len(columns) && columns[i] == column && field == want {
					return nil
				}
			}
			return fmt.Errorf("want %s %q in %s", column, want, line)
		}
		return fmt.Errorf("no row for %s %s", section, server)
	}
}
