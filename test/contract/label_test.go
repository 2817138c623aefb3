package contract_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mlb/test/balancer"
)

// The password and its hash for labels AUTH.
const (
	password = "swordfish"
	hash     = "$5$mlbtest$Xpsz8XZKMHgxt/zLXgkVVVQvBKsJg38qFxMDEhF4ahB"
)

// host is the label VHOST of the first port and further labels, given as pairs.
func host(vhost string, pairs ...string) map[string]string {
	labels := map[string]string{"HAPROXY_0_VHOST": vhost}
	for i := 0; i+1 < len(pairs); i += 2 {
		labels["HAPROXY_0_"+pairs[i]] = pairs[i+1]
	}
	return labels
}

// labelStage shows the value labels of contract 4.1 and 4.2.
func labelStage() stage {
	return stage{
		name: "labels",
		prepare: func(t *testing.T, s scene) {
			t.Helper()
			writeFile(t, s.Path("site.pem"), newCertificate(t, "site.example"))
		},
		behaviours: slices.Concat(routingLabels(), protectionLabels(), portLabels(), rewritingLabels(), deploymentLabels()),
	}
}

func routingLabels() []behaviour {
	return []behaviour{
		{
			name: "a virtual host leads to its app on 80 and 443, whatever the case and the port of Host",
			covers: []string{
				"label HAPROXY_{n}_VHOST", "label HAPROXY_GROUP", "flag --group", "D25", "template HTTP_FRONTEND_HEAD",
				"template HTTPS_FRONTEND_HEAD", "template HTTP_FRONTEND_ACL", "template HTTPS_FRONTEND_ACL",
			},
			apps: []app{{id: "/vhost", ports: []int{10100}, labels: host("Vhost.Example")}},
			show: func(t *testing.T, s scene) {
				for _, name := range []string{"vhost.example", "VHOST.example", "vhost.example:8080", "vhost.example:80"} {
					expect(t, s.Web(name, "/"), by("/vhost"))
				}
				expect(t, s.Secure("vhost.example", "/"), by("/vhost"))
				mixed := s.Secure("vhost.example", "/")
				mixed.ServerName, mixed.Host = "VHOST.Example", "vhost.example:443"
				expect(t, mixed, by("/vhost"))
				expect(t, s.Web("other.vhost.example", "/"), code(http.StatusServiceUnavailable))
				expect(t, s.Secure("other.vhost.example", "/"), code(http.StatusServiceUnavailable))
			},
		},
		{
			name:   "443 looks at the SNI and not at Host, and offers no HTTP/2",
			covers: []string{"K20"},
			apps: []app{
				{id: "/sni-a", ports: []int{10102}, labels: host("sni-a.example")},
				{id: "/sni-b", ports: []int{10103}, labels: host("sni-b.example")},
			},
			show: func(t *testing.T, s scene) {
				crossed := s.Secure("sni-a.example", "/")
				crossed.Host = "sni-b.example"
				expect(t, crossed, by("/sni-a"), said("host", "sni-b.example"))
			},
		},
		{
			name:   "hosts are separated by commas and blanks, and empty ones do not count",
			covers: []string{"D24", "template HTTP_FRONTEND_ACL_ONLY", "template HTTP_FRONTEND_ROUTING_ONLY"},
			apps: []app{
				{id: "/many", ports: []int{10104}, labels: host(" many-a.example, many-b.example,,MANY-C.example many-d.example, ")},
				{id: "/many-none", ports: []int{10105}, labels: host(" , ,")},
			},
			show: func(t *testing.T, s scene) {
				for _, name := range []string{"many-a.example", "many-b.example", "many-c.example", "many-d.example"} {
					expect(t, s.Web(name, "/"), by("/many"))
					expect(t, s.Secure(name, "/"), by("/many"))
				}
				expect(t, s.Port(10105, "/"), by("/many-none"))
			},
		},
		{
			name:   "a star in a host is a literal character",
			covers: []string{"K5"},
			apps:   []app{{id: "/star", ports: []int{10106}, labels: host("*.star.example")}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Port(10106, "/"), by("/star"))
				expect(t, s.Web("*.star.example", "/"), by("/star"))
				expect(t, s.Web("a.star.example", "/"), code(http.StatusServiceUnavailable))
			},
		},
		{
			name: "a path narrows the host, takes HAProxy's flags and several prefixes, and beats the bare host",
			covers: []string{
				"label HAPROXY_{n}_PATH", "K6", "template HTTP_FRONTEND_ACL_WITH_PATH",
				"template HTTPS_FRONTEND_ACL_ONLY_WITH_PATH", "template HTTPS_FRONTEND_ACL_WITH_PATH",
			},
			apps: []app{
				{id: "/path-all", ports: []int{10108}, labels: host("path.example")},
				{id: "/path-api", ports: []int{10109}, labels: host("path.example", "PATH", "/api /v2")},
				{id: "/path-any-case", ports: []int{10110}, labels: host("path.example", "PATH", "-i /CASE", "BACKEND_WEIGHT", "0")},
			},
			show: func(t *testing.T, s scene) {
				for _, request := range []func(string, string) balancer.Request{s.Web, s.Secure} {
					expect(t, request("path.example", "/api/x"), by("/path-api"), said("path", "/api/x"))
					expect(t, request("path.example", "/v2"), by("/path-api"))
					expect(t, request("path.example", "/case/y"), by("/path-any-case"))
					expect(t, request("path.example", "/API"), by("/path-all"))
					expect(t, request("path.example", "/"), by("/path-all"))
				}
			},
		},
		{
			name: "a path narrows several hosts",
			covers: []string{
				"template HTTP_FRONTEND_ACL_ONLY_WITH_PATH", "template HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH",
			},
			apps: []app{{id: "/path-many", ports: []int{10112}, labels: host("pm-a.example,pm-b.example", "PATH", "/in")}},
			show: func(t *testing.T, s scene) {
				for _, name := range []string{"pm-a.example", "pm-b.example"} {
					expect(t, s.Web(name, "/in"), by("/path-many"))
					expect(t, s.Secure(name, "/in"), by("/path-many"))
					expect(t, s.Web(name, "/out"), code(http.StatusServiceUnavailable))
					expect(t, s.Secure(name, "/out"), code(http.StatusServiceUnavailable))
				}
			},
		},
		{
			name:   "the larger weight gets the host, then the smaller app id, and the loser is reported",
			covers: []string{"label HAPROXY_{n}_BACKEND_WEIGHT", "K12"},
			apps: []app{
				{id: "/weight-a", ports: []int{10114}, labels: host("weight.example")},
				{id: "/weight-b", ports: []int{10115}, labels: host("weight.example", "BACKEND_WEIGHT", "5")},
				{id: "/weight-c", ports: []int{10116}, labels: host("equal.example")},
				{id: "/weight-d", ports: []int{10117}, labels: host("equal.example")},
				{id: "/weight-e", ports: []int{10118}, labels: host("negative.example", "BACKEND_WEIGHT", "-2")},
				{id: "/weight-f", ports: []int{10119}, labels: host("negative.example")},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("weight.example", "/"), by("/weight-b"))
				expect(t, s.Web("equal.example", "/"), by("/weight-c"))
				expect(t, s.Web("negative.example", "/"), by("/weight-f"))
			},
		},
		{
			name: "requests for the host are sent to https, and only those",
			covers: []string{
				"label HAPROXY_{n}_REDIRECT_TO_HTTPS", "template BACKEND_REDIRECT_HTTP_TO_HTTPS",
				"template BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH",
			},
			apps: []app{
				{id: "/redirect", ports: []int{10120}, labels: host("redirect.example", "REDIRECT_TO_HTTPS", "Yes")},
				{id: "/redirect-path", ports: []int{10121}, labels: host("redirect-path.example", "PATH", "/in", "REDIRECT_TO_HTTPS", "t")},
				{id: "/redirect-not", ports: []int{10122}, labels: host("redirect-not.example", "REDIRECT_TO_HTTPS", " true")},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("redirect.example", "/a?b=c"), code(http.StatusMovedPermanently), header("Location", "https://redirect.example/a?b=c"))
				expect(t, s.Secure("redirect.example", "/a"), by("/redirect"))
				expect(t, s.Port(10120, "/a"), by("/redirect"))
				expect(t, s.Web("redirect-path.example", "/in/x"), code(http.StatusMovedPermanently), header("Location", "https://redirect-path.example/in/x"))
				expect(t, s.Web("redirect-path.example", "/out"), code(http.StatusServiceUnavailable))
				expect(t, s.Secure("redirect-path.example", "/in"), by("/redirect-path"))
				expect(t, s.Web("redirect-not.example", "/"), by("/redirect-not"))
			},
		},
	}
}

func protectionLabels() []behaviour {
	return []behaviour{
		{
			name: "AUTH asks for the password on 80 and 443 and not on the service port and 9091",
			covers: []string{
				"label HAPROXY_{n}_AUTH", "K7", "template USERLIST_HEAD", "template HTTP_FRONTEND_ACL_WITH_AUTH",
				"template HTTPS_FRONTEND_ACL_WITH_AUTH",
			},
			apps: []app{{id: "/auth", ports: []int{10130}, labels: host("auth.example", "AUTH", `Back "office":bob:`+hash)}},
			show: func(t *testing.T, s scene) {
				for _, r := range []balancer.Request{s.Web("auth.example", "/"), s.Secure("auth.example", "/")} {
					expect(t, r, code(http.StatusUnauthorized), asksFor(`Back "office"`))
					expect(t, r.WithLogin("bob", "wrong"), code(http.StatusUnauthorized))
					expect(t, r.WithLogin("eve", password), code(http.StatusUnauthorized))
					expect(t, r.WithLogin("bob", password), by("/auth"))
				}
				expect(t, s.Port(10130, "/"), by("/auth"))
				expect(t, s.ByID("/auth", "/"), by("/auth"))
			},
		},
		{
			name: "AUTH with a path protects the path of the host",
			covers: []string{
				"template HTTP_FRONTEND_ACL_WITH_AUTH_AND_PATH", "template HTTPS_FRONTEND_ACL_WITH_AUTH_AND_PATH",
			},
			apps: []app{
				{id: "/auth-path", ports: []int{10131}, labels: host("auth-path.example", "PATH", "/in", "AUTH", "r:bob:"+hash)},
				{id: "/auth-open", ports: []int{10132}, labels: host("auth-path.example")},
			},
			show: func(t *testing.T, s scene) {
				for _, request := range []func(string, string) balancer.Request{s.Web, s.Secure} {
					expect(t, request("auth-path.example", "/in"), code(http.StatusUnauthorized))
					expect(t, request("auth-path.example", "/in").WithLogin("bob", password), by("/auth-path"))
					expect(t, request("auth-path.example", "/"), by("/auth-open"))
				}
			},
		},
		{
			name: "AUTH protects each of several hosts, with and without a path",
			covers: []string{
				"template HTTP_FRONTEND_ROUTING_ONLY_WITH_AUTH", "template HTTP_FRONTEND_ACL_ONLY_WITH_PATH_AND_AUTH",
				"template HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH",
			},
			apps: []app{
				{id: "/auth-many", ports: []int{10133}, labels: host("auth-a.example,auth-b.example", "AUTH", "r:bob:"+hash)},
				{id: "/auth-many-path", ports: []int{10134}, labels: host("auth-c.example,auth-d.example", "PATH", "/in", "AUTH", "r:bob:"+hash)},
			},
			show: func(t *testing.T, s scene) {
				for name, id := range map[string]string{
					"auth-a.example": "/auth-many", "auth-b.example": "/auth-many",
					"auth-c.example": "/auth-many-path", "auth-d.example": "/auth-many-path",
				} {
					for _, request := range []func(string, string) balancer.Request{s.Web, s.Secure} {
						expect(t, request(name, "/in"), code(http.StatusUnauthorized))
						expect(t, request(name, "/in").WithLogin("bob", password), by(id))
					}
				}
			},
		},
		{
			name:   "AUTH and redirect rules of a host hit other apps on it",
			covers: []string{"K13"},
			apps: []app{
				{id: "/host-wide", ports: []int{10135}, labels: host("host-wide.example", "AUTH", "r:bob:"+hash)},
				{id: "/host-wide-path", ports: []int{10136}, labels: host("host-wide.example", "PATH", "/open")},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("host-wide.example", "/open"), code(http.StatusUnauthorized))
				expect(t, s.Web("host-wide.example", "/open").WithLogin("bob", password), by("/host-wide-path"))
			},
		},
		{
			name:   "an AUTH that is not three parts costs the service and nobody sees its value",
			covers: []string{"D26"},
			apps: []app{
				{id: "/auth-no-realm", ports: []int{10137}, labels: host("auth-no-realm.example", "AUTH", ":bob:secret-hash")},
				{id: "/auth-two-parts", ports: []int{10138}, labels: host("auth-two-parts.example", "AUTH", "bob:secret-hash")},
			},
			show: func(t *testing.T, s scene) {
				for _, id := range []string{"/auth-no-realm", "/auth-two-parts"} {
					expectProblem(t, s, id, "HAPROXY_0_AUTH")
					expect(t, s.Web(id[1:]+".example", "/"), code(http.StatusServiceUnavailable))
				}
				expectClosed(t, s.Port(10137, "/"))
				report, err := s.Ask(t.Context(), "/_mlb/problems")
				if err != nil || strings.Contains(report, "secret-hash") || strings.Contains(s.Log(), "secret-hash") {
					t.Errorf("the value is shown, %v: %s", err, report)
				}
			},
		},
		{
			name: "two ports of one app keep their hosts and passwords apart",
			covers: []string{
				"D32",
			},
			apps: []app{{
				id: "/apart", ports: []int{10139, 10140},
				labels: map[string]string{
					"HAPROXY_0_VHOST": "apart.example", "HAPROXY_0_PATH": "/a", "HAPROXY_0_AUTH": "r:bob:" + hash,
					"HAPROXY_1_VHOST": "apart.example", "HAPROXY_1_PATH": "/b",
				},
			}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("apart.example", "/a"), code(http.StatusUnauthorized))
				expect(t, s.Web("apart.example", "/a").WithLogin("bob", password), by("/apart"))
				expect(t, s.Web("apart.example", "/b"), by("/apart"))
			},
		},
		{
			name: "only allowed networks reach the backend, by any way",
			covers: []string{
				"label HAPROXY_{n}_BACKEND_NETWORK_ALLOWED_ACL", "template HTTP_BACKEND_NETWORK_ALLOWED_ACL",
				"template HTTP_BACKEND_ACL_ALLOW_DENY", "template TCP_BACKEND_NETWORK_ALLOWED_ACL", "template TCP_BACKEND_ACL_ALLOW_DENY",
			},
			apps: []app{
				{id: "/allowed", ports: []int{10141}, labels: host("allowed.example", "BACKEND_NETWORK_ALLOWED_ACL", "127.3.0.0/16 127.4.5.6")},
				{id: "/allowed-tcp", ports: []int{10142}, labels: map[string]string{"HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL": "127.3.0.0/16 127.4.5.6"}},
			},
			show: func(t *testing.T, s scene) {
				for _, r := range []balancer.Request{
					s.Web("allowed.example", "/"), s.Secure("allowed.example", "/"), s.Port(10141, "/"), s.ByID("/allowed", "/"),
				} {
					expect(t, r.WithFrom("127.3.9.9"), by("/allowed"))
					expect(t, r.WithFrom("127.4.5.6"), by("/allowed"))
					expect(t, r.WithFrom("127.4.5.7"), code(http.StatusForbidden))
				}
				expect(t, s.Port(10142, "/").WithFrom("127.3.9.9"), by("/allowed-tcp"))
				expect(t, s.Port(10142, "/").WithFrom("127.4.5.6"), by("/allowed-tcp"))
				expectClosed(t, s.Port(10142, "/").WithFrom("127.4.5.7"))
			},
		},
		{
			name:   "a comma in the allowed networks costs the service, so that nobody gets in by mistake",
			covers: []string{"D22"},
			apps: []app{
				{id: "/commas", ports: []int{10143}, labels: host("commas.example", "BACKEND_NETWORK_ALLOWED_ACL", "127.3.0.1,127.3.0.2")},
				{id: "/commas-other", ports: []int{10144}, labels: host("commas-other.example", "BACKEND_WEIGHT", "heavy")},
			},
			show: func(t *testing.T, s scene) {
				expectProblem(t, s, "/commas", "HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL", "127.3.0.1,127.3.0.2")
				expectProblem(t, s, "/commas-other", "HAPROXY_0_BACKEND_WEIGHT", "heavy")
				expect(t, s.Web("commas-other.example", "/"), by("/commas-other"))
				expect(t, s.Web("commas.example", "/").WithFrom("127.3.0.1"), code(http.StatusServiceUnavailable))
			},
		},
		{
			name:   "HSTS is in every answer of the backend, over plain HTTP too",
			covers: []string{"label HAPROXY_{n}_USE_HSTS", "D29", "template BACKEND_HSTS_OPTIONS"},
			apps: []app{
				{id: "/hsts", ports: []int{10145}, labels: host("hsts.example", "USE_HSTS", "true")},
				{id: "/hsts-not", ports: []int{10146}, labels: host("hsts-not.example")},
			},
			show: func(t *testing.T, s scene) {
				for _, r := range []balancer.Request{s.Web("hsts.example", "/?status=404"), s.Secure("hsts.example", "/"), s.Port(10145, "/")} {
					expect(t, r, by("/hsts"), header("Strict-Transport-Security", "max-age=15768000"))
				}
				expect(t, s.Secure("hsts-not.example", "/"), by("/hsts-not"), header("Strict-Transport-Security", ""))
			},
		},
	}
}

// asksFor wishes for the realm of a 401, however it is quoted.
func asksFor(realm string) wish {
	return func(a balancer.Answer) error {
		got := a.Header.Get("Www-Authenticate")
		if strings.ReplaceAll(got, `\"`, `"`) != `Basic realm="`+realm+`"` {
			return fmt.Errorf("the realm is in %q, want %q", got, realm)
		}
		return nil
	}
}

// cookieOf returns the value of the persistence cookie for a server name (contract
// 4.5).
func cookieOf(server string) string {
	sum := sha1.Sum([]byte(server))
	return hex.EncodeToString(sum[:])[:10]
}

// serverName is the name of a server whose agent is named by its address (contract
// 6.1).
func serverName(address string, port int) string {
	return regexp.MustCompile(`[^A-Za-z0-9-]`).ReplaceAllString(fmt.Sprintf("%s_%d", address, port), "_")
}
