package contract_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mlb/test/balancer"
)

// source is a way to replace a template.
type source string

const (
	byVariable source = "variable"
	byFile     source = "file"
)

// replacement is a text in place of a template's default, written as users of
// marathon-lb write it: with the contract's placeholders only. One text serves all
// sources, so it does what the default does, and something that can be seen.
type replacement struct {
	template string
	// text may hold @MARK@, @HOST@ and the folder.
	text string
	// marked are the placeholders whose values @MARK@ sends to the task.
	marked []string
	// labels and more are what a service needs to have the template used.
	labels map[string]string
	more   map[string]any
	// show sends the requests.
	show func(t *testing.T, s scene, u use)
}

// use is one service whose template is replaced.
type use struct {
	replacement
	app app
}

// host returns the virtual host of the service.
func (u use) host() string { return u.app.id[1:] + ".example" }

// mark returns the line that adds the values of the marked placeholders to the
// request's X-Forwarded-Host. Quotes keep what is in the values together.
func (o replacement) mark() string {
	words := []string{o.template}
	for _, p := range o.marked {
		words = append(words, p+"=<{"+p+"}>")
	}
	return "http-request add-header X-Forwarded-Host '" + strings.Join(words, " ") + "'"
}

// values returns what the placeholders stand for (contract 5.1 and 6.1).
func (u use) values(s scene) map[string]string {
	port := strconv.Itoa(u.app.ports[0])
	clean := func(text string) string { return regexp.MustCompile(`[^A-Za-z0-9-]`).ReplaceAllString(text, "_") }
	task := s.cluster.Ready(u.app.id)[0]
	server := serverName(task.Address, task.Ports[0])
	return map[string]string{
		"backend": u.app.id[1:] + "_" + port, "hostname": u.host(), "appId": u.app.id, "path": "/in", "mode": "http", "balance": "leastconn",
		"cleanedUpHostname": clean(u.host()) + "_" + u.app.id[1:] + "_" + port, "cleanedUpAppId": clean(u.app.id) + "_" + port,
		"bindAddr": s.Host, "servicePort": port, "sslCert": " ssl crt " + s.Path("site.pem"), "bindOptions": " backlog 99",
		"proxypath": "/cut", "network_allowed": "127.3.0.0/16",
		"serverName": server, "host_ipv4": task.Address, "host": task.Agent, "port": strconv.Itoa(task.Ports[0]),
		"cookieOptions": " check cookie " + cookieOf(server), "healthCheckOptions": "", "otherOptions": "",
		"healthCheckPortIndex": "0", "healthCheckPort": strconv.Itoa(task.Ports[0]), "healthCheckPath": "/health",
		"healthCheckTimeoutSeconds": "2", "healthCheckIntervalSeconds": "1", "healthCheckGracePeriodSeconds": "5",
		"healthCheckMaxConsecutiveFailures": "3", "healthCheckFalls": "4", "haproxy_dir": s.Dir,
		"sslCerts": "crt " + s.Path("site.pem"), "bindOpts": " alpn http/1.1 backlog 99", "name": clean(u.host()),
	}
}

// isMarked wishes for an answer of the service whose task saw the mark.
func (u use) isMarked(s scene) wish {
	words := []string{u.template}
	for _, p := range u.marked {
		words = append(words, p+"=<"+u.values(s)[p]+">")
	}
	want := strings.Join(words, " ")
	return func(a balancer.Answer) error {
		if got := a.Said("x-forwarded-host"); a.Said("app") != u.app.id || !strings.Contains(got, want) {
			return fmt.Errorf("the mark is %q, want %q", got, want)
		}
		return nil
	}
}

// replacedStage shows that templates are replaced from one source.
func replacedStage(topic string, from source, args []string, overrides []replacement) stage {
	const first = 10100 // of the service ports
	st := stage{name: topic + " by " + string(from), args: args}
	texts := map[string]string{}
	suffix := ""
	if topic == "grouped" { // abstract sockets are called after the hosts
		suffix = "-" + string(from)
	}
	for i, o := range overrides {
		texts[o.template] = strings.ReplaceAll(o.text, "@MARK@", o.mark())
		u := use{o, o.service(first+i, suffix)}
		st.behaviours = append(st.behaviours, behaviour{
			name:   o.template + " is replaced by a " + string(from),
			covers: o.covers(from),
			apps:   []app{u.app},
			show:   func(t *testing.T, s scene) { o.show(t, s, u) },
		})
	}
	st.prepare = func(t *testing.T, s scene) {
		t.Helper()
		writeFile(t, s.Path("site.pem"), newCertificate(t, "site.example"))
		for _, template := range slices.Sorted(maps.Keys(texts)) {
			text := strings.NewReplacer("@HOST@", s.Host, folder, s.Dir).Replace(texts[template])
			switch from {
			case byVariable:
				s.Env = append(s.Env, "HAPROXY_"+template+"="+strings.ReplaceAll(text, "\n", `\n`))
			case byFile:
				writeFile(t, s.Path("templates/HAPROXY_"+template), text)
			}
		}
	}
	return st
}

// service returns the app whose service uses the template.
func (o replacement) service(port int, suffix string) app {
	id := "/o-" + strings.ToLower(strings.ReplaceAll(o.template, "_", "-")) + suffix
	labels := map[string]string{"HAPROXY_0_VHOST": id[1:] + ".example", "HAPROXY_0_BALANCE": "leastconn"}
	maps.Copy(labels, o.labels)
	return app{id: id, ports: []int{port}, labels: labels, more: o.more}
}

// covers returns the entries that are shown: the template, the way to replace it, and
// the placeholders in the text, whose values or effects are looked at.
func (o replacement) covers(from source) []string {
	all := []string{"template " + o.template}
	switch from {
	case byVariable:
		all = append(all, "env HAPROXY_"+o.template)
	case byFile:
	}
	var names []string
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(o.text+o.mark(), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		all = append(all, "placeholder "+o.template+" "+n)
	}
	return all
}

// checkOf returns the health check of a replacement's app.
func checkOf(protocol string) map[string]any {
	return checks(check(protocol, "portIndex", 0, "path", "/health"))
}

// sent wishes for the redirect that the option redir of the service's server makes.
func (u use) sent(s scene, prefix string, placeholders ...string) wish {
	words := []string{prefix}
	for _, p := range placeholders {
		words = append(words, "<"+u.values(s)[p]+">")
	}
	want := strings.Join(words, "")
	return func(a balancer.Answer) error {
		if got := a.Header.Get("Location"); !strings.Contains(got, want) {
			return fmt.Errorf("Location is %q, want %q in it", got, want)
		}
		return nil
	}
}
