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
		name: "templates for all", args: []string{"--ssl-certs", folder + "/site.pem"},
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
		behaviours: append(globalBehaviours(), sourceBehaviours()...),
	}
}

// templateVariables are texts of variables by template.
func templateVariables() map[string]string {
	return map[string]string{
		"HTTP_FRONTEND_HEAD":                             "frontend marathon_http_in\n  bind @HOST@:8080\n  mode http\n  http-response set-header X-Front '{ http }'",
		"HTTPS_FRONTEND_HEAD":                            "frontend marathon_https_in\n  bind @HOST@:8443 ssl {sslCerts}\n  mode http\n  http-response set-header X-Front '{{ {sslCerts} }}'",
		"HTTP_BACKEND_REDIR":                             "  redirect code 302 location https://{hostname}{redirpath}?moved if {{ path / }}",
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

// globalBehaviours are those of templates without a label.
func globalBehaviours() []behaviour {
	return []behaviour{
		{
			name:   "a raw text keeps its braces, and of a formatted one two are one",
			covers: []string{"template HTTP_FRONTEND_HEAD", "template HTTPS_FRONTEND_HEAD", "placeholder HTTPS_FRONTEND_HEAD sslCerts"},
			apps:   []app{{id: "/head", ports: []int{10100}, labels: host("head.example")}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("head.example", "/"), by("/head"), header("X-Front", "{ http }"))
				expect(t, s.Secure("head.example", "/"), by("/head"), header("X-Front", "{ crt "+s.Path("site.pem")+" }"))
			},
		},
		{
			name: "a variable replaces HTTP_BACKEND_REDIR, while the label of its name holds the path",
			covers: []string{
				"template HTTP_BACKEND_REDIR", "placeholder HTTP_BACKEND_REDIR hostname", "placeholder HTTP_BACKEND_REDIR redirpath", "K11",
			},
			apps: []app{{id: "/redir", ports: []int{10101}, labels: host("redir.example", "HTTP_BACKEND_REDIR", "/start")}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("redir.example", "/"), code(http.StatusFound), header("Location", "https://redir.example/start?moved"))
				expect(t, s.Web("redir.example", "/x"), by("/redir"))
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
