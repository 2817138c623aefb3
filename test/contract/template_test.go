package contract_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
)

// templateStages show the templates of contract 5, their placeholders, and what
// replaces them.
func templateStages() []stage {
	return []stage{templateStage(), globalTemplateStage(), groupedStage()}
}

// templateStage shows labels that replace templates (contract 4.3 and 5). Its agent
// has a name, so that names and addresses of tasks are told apart.
func templateStage() stage {
	return stage{
		name:     "template labels",
		marathon: marathonsim.Options{EphemeralPorts: true, Agents: []marathonsim.Agent{{Name: "localhost", Address: "127.0.0.1"}}},
		prepare: func(t *testing.T, s scene) {
			t.Helper()
			writeFile(t, s.Path("site.pem"), newCertificate(t, "site.example"))
		},
		behaviours: slices.Concat(
			plainRuleLabels(), tlsRuleLabels(), redirectRuleLabels(), frontendTemplateLabels(), backendTemplateLabels(),
			checkTemplateLabels(), serverTemplateLabels(), badTemplateLabels(), defaultTemplates(),
		),
	}
}

// override is the label of one app that replaces one template. The text does what
// the template is for and shows all placeholders.
type override struct {
	template string
	app      app
	// text has no final line break (D35). Where it says everything, each placeholder
	// stands behind its name.
	text []string
	// values are what the placeholders stand for; of the words in them that begin
	// with @, filled knows the meaning.
	values map[string]string
	// request is answered with the values at seen, and as wished.
	request func(s scene) balancer.Request
	seen    func(a balancer.Answer) string
	wishes  []wish
}

// everything stands for all placeholders in the text of an override.
const everything = "@EVERYTHING@"

// behaviour is the rule that the label replaces the template for the app.
func (o override) behaviour() behaviour {
	names := slices.Sorted(maps.Keys(o.values))
	b := behaviour{
		name:   "a label replaces " + o.template + " for its service",
		covers: []string{"template " + o.template, "label HAPROXY_{n}_" + o.template},
	}
	var all, want []string
	for _, name := range names {
		b.covers = append(b.covers, "placeholder "+o.template+" "+name)
		all = append(all, name+"={"+name+"}")
		want = append(want, name+"="+o.values[name])
	}
	text := strings.ReplaceAll(strings.Join(o.text, "\n"), everything, strings.Join(all, " "))
	labels := maps.Clone(o.app.labels)
	labels["HAPROXY_0_"+o.template] = text
	o.app.labels = labels
	b.apps = []app{o.app}
	b.show = func(t *testing.T, s scene) {
		t.Helper()
		expect(t, o.request(s), append(o.wishes, func(a balancer.Answer) error {
			if want := filled(s, o.app.id, strings.Join(want, " ")); o.seen(a) != want {
				return fmt.Errorf("the placeholders are\n%s, want\n%s", o.seen(a), want)
			}
			return nil
		})...)
	}
	return b
}

// behavioursOf are those of several overrides.
func behavioursOf(all []override) []behaviour {
	out := make([]behaviour, len(all))
	for i, o := range all {
		out[i] = o.behaviour()
	}
	return out
}

// filled replaces the words that stand for what only a running stage knows: its
// folder, its address @HOST@, and of an app's one task the name and address of its
// agent, its ports, and name, id and cookie of its server.
func filled(s scene, app, text string) string {
	pairs := []string{folder, s.Dir, "@HOST@", s.Host}
	if tasks := s.cluster.Ready(app); len(tasks) > 0 {
		task := tasks[0]
		for i, p := range task.Ports {
			pairs = append(pairs, fmt.Sprintf("@PORT%d@", i), strconv.Itoa(p))
		}
		server := serverName(task.Agent+"_"+task.Address, task.Ports[0])
		pairs = append(pairs, "@AGENT@", task.Agent, "@ADDRESS@", task.Address, "@SERVER@", server, "@ID@", idOf(server), "@COOKIE@", cookieOf(server))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// idOf is the id of the only server of a backend (contract 6.2).
func idOf(server string) string {
	sum := sha256.Sum256([]byte(server))
	n := new(big.Int).SetBytes(sum[:])
	return n.Mod(n, big.NewInt(32767)).String()
}

// The places at which placeholders are seen: what the task was sent, a header of the
// answer, where a redirect leads to, and the value of a cookie.
func forwarded(a balancer.Answer) string  { return a.Said("x-forwarded-host") }
func inHeader(a balancer.Answer) string   { return a.Header.Get("X-Values") }
func inLocation(a balancer.Answer) string { return a.Header.Get("Location") }

func inCookie(a balancer.Answer) string {
	_, value, _ := strings.Cut(a.Header.Get("Set-Cookie"), "=")
	value, _, _ = strings.Cut(value, "; path=/")
	return value
}

// web, secure, byID and port make the requests of overrides.
func web(host, path string) func(scene) balancer.Request {
	return func(s scene) balancer.Request { return s.Web(host, path) }
}

func secure(host, path string) func(scene) balancer.Request {
	return func(s scene) balancer.Request { return s.Secure(host, path) }
}

func byID(app string) func(scene) balancer.Request {
	return func(s scene) balancer.Request { return s.ByID(app, "/") }
}

func port(n int) func(scene) balancer.Request {
	return func(s scene) balancer.Request { return s.Port(n, "/") }
}

// asBob adds the login of the labels AUTH.
func asBob(request func(scene) balancer.Request) func(scene) balancer.Request {
	return func(s scene) balancer.Request { return request(s).WithLogin("bob", password) }
}

// office is the label AUTH with the realm Office.
const office = "Office:bob:" + hash

// badTemplateLabels are those that cost the service, and nothing else.
func badTemplateLabels() []behaviour {
	return []behaviour{
		{
			name:   "a label with a bad placeholder costs the service and nothing else",
			covers: []string{"D34"},
			apps: []app{
				{id: "/bad-unknown", ports: []int{10180}, labels: host("bad-unknown.example", "BACKEND_HEAD", "backend {backend}\n  balance {balanced}\n  mode http")},
				{id: "/bad-empty", ports: []int{10181}, labels: host("bad-empty.example", "BACKEND_HEAD", "backend {}")},
				{id: "/bad-brace", ports: []int{10182}, labels: host("bad-brace.example", "HTTP_FRONTEND_ACL", "  use_backend {backend} if { hdr(host) -i {hostname}")},
				{id: "/bad-attribute", ports: []int{10183}, labels: host("bad-attribute.example", "FRONTEND_HEAD", "frontend {backend.upper}")},
				{id: "/bad-conversion", ports: []int{10184}, labels: host("bad-conversion.example", "FRONTEND_BACKEND_GLUE", "  use_backend {backend!r}")},
				{id: "/bad-not", ports: []int{10185}, labels: host("bad-not.example")},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("bad-not.example", "/"), by("/bad-not"))
				for id, rule := range map[string]string{
					"/bad-unknown": "{balanced}", "/bad-empty": "{}", "/bad-brace": "{ hdr(host) -i {hostname}", "/bad-attribute": "{backend.upper}", "/bad-conversion": "{backend!r}",
				} {
					expectProblem(t, s, id, rule)
					expect(t, s.Web(id[1:]+".example", "/"), code(http.StatusServiceUnavailable))
				}
			},
		},
		{
			name:   "a directive that HAProxy has lost costs the service, and the report names it",
			covers: []string{"D28", "D29"},
			apps: []app{
				{id: "/lost-request", ports: []int{10186}, labels: host("lost-request.example", "HTTP_BACKEND_PROXYPASS_PATH", "/in", "HTTP_BACKEND_PROXYPASS_GLUE", `  reqirep ^([^\ :]*)\ {proxypath}(.*) \1\ \2`)},
				{id: "/lost-response", ports: []int{10187}, labels: host("lost-response.example", "USE_HSTS", "true", "BACKEND_HSTS_OPTIONS", `  rspadd Strict-Transport-Security:\ max-age=1`)},
			},
			show: func(t *testing.T, s scene) {
				expectProblem(t, s, "/lost-request", "reqirep", "HTTP_BACKEND_PROXYPASS_GLUE")
				expectProblem(t, s, "/lost-response", "rspadd", "BACKEND_HSTS_OPTIONS")
				expect(t, s.Web("lost-request.example", "/"), code(http.StatusServiceUnavailable))
				expect(t, s.Web("lost-response.example", "/"), code(http.StatusServiceUnavailable))
			},
		},
		{
			name:   "a label keeps to its service",
			covers: []string{"D36"},
			apps: []app{
				{id: "/leaves-section", ports: []int{10194}, labels: host("leaves-section.example", "BACKEND_HTTP_OPTIONS", "  option forwardfor\nlisten more\n  bind 127.66.66.66:10189")},
				{id: "/leaves-host", ports: []int{10190}, labels: host("leaves-host.example", "HTTP_FRONTEND_ACL", "  http-request deny\n  use_backend {backend} if {{ hdr(host) -i {hostname} }}")},
				{id: "/leaves-not", ports: []int{10191}, labels: host("leaves-not.example")},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("leaves-not.example", "/"), by("/leaves-not"))
				expectProblem(t, s, "/leaves-section", "BACKEND_HTTP_OPTIONS", "listen")
				expectProblem(t, s, "/leaves-host", "HTTP_FRONTEND_ACL", "deny")
				expectClosed(t, balancer.Request{URL: "http://127.66.66.66:10189/"})
			},
		},
		{
			name:   "an empty label is an empty text, line ends of Windows are those of Unix, and a last one is added",
			covers: []string{"D35", "label HAPROXY_{n}_BACKEND_HTTP_OPTIONS", "label HAPROXY_{n}_BACKEND_HSTS_OPTIONS"},
			apps: []app{
				{id: "/text-empty", ports: []int{10192}, labels: host("text-empty.example", "BACKEND_HTTP_OPTIONS", "")},
				{id: "/text-windows", ports: []int{10193}, labels: host(
					"text-windows.example", "USE_HSTS", "true", "BACKEND_HSTS_OPTIONS", "  http-response set-header X-Values one\r\n  http-response set-header X-More two",
				)},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("text-empty.example", "/"), by("/text-empty"), said("x-forwarded-for", ""), said("x-forwarded-port", ""))
				expect(t, s.Web("text-windows.example", "/"), by("/text-windows"), header("X-Values", "one"), header("X-More", "two"),
					said("x-forwarded-port", "8080"), func(a balancer.Answer) error {
						if a.Said("x-forwarded-for") == "" {
							return errors.New("the line after the label's text is lost")
						}
						return nil
					})
			},
		},
	}
}
