package main

import (
	"fmt"
	"slices"
	"strings"

	"mlb/discovery/marathon"
	"mlb/templates"
)

// chapters are the parts of the manual after the configuration: what users write
// into apps.
func chapters() []string { return []string{labelManual(), templateManual()} }

// labelManual is docs/labels.md: a heading of the second level for each label with a
// value, from the table of labels (contract 1.2, --longhelp).
func labelManual() string {
	var b strings.Builder
	b.WriteString(labelIntroduction)
	for _, d := range marathon.LabelDocs() {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\nValue: %s.\nWithout it: %s.\n", d.Key, sentences(d.Effect), d.Grammar, d.Default)
	}
	return b.String()
}

// templateManual is docs/templates.md: a heading of the second level for each
// template, with its place, its placeholders and its default text.
func templateManual() string {
	var b strings.Builder
	b.WriteString(templateIntroduction)
	for _, e := range templates.Table() {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n", e.Variable(), sentences(templates.Purpose(e.Name)))
		if e.Label() != "" {
			fmt.Fprintf(&b, "For one service: label `%s`.\n", e.Label())
		}
		if e.Unused {
			b.WriteString("A text of this name is reported at start.\n")
		}
		if e.Format == templates.Raw {
			b.WriteString("Raw: an own text is taken as it is.\n")
		} else {
			fmt.Fprintf(&b, "Placeholders: %s.\n", placeholderList(slices.Concat(e.Placeholders, e.Partial)))
		}
		if len(e.Own) > 0 {
			fmt.Fprintf(&b, "The default needs more: %s.\n", placeholderList(e.Own))
		}
		t, err := templates.Default(e.Name)
		if err != nil { // the names come from the same place
			continue
		}
		if t.Text == "" {
			b.WriteString("The default is empty.\n")
			continue
		}
		fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.Trim(t.Text, "\n"))
	}
	return b.String()
}

func placeholderList(names []string) string {
	return "`{" + strings.Join(names, "}`, `{") + "}`"
}

// sentences puts each sentence on a line of its own.
func sentences(text string) string { return strings.ReplaceAll(text, ". ", ".\n") }

const labelIntroduction = "# Labels\n\n" +
	"Labels of a Marathon app say how it is served.\n" +
	"`{n}` is the index of a service port in the app's definition, from 0.\n" +
	"A value that cannot be read costs the service, or is ignored where that is harmless; `/_mlb/problems` on the statistics port tells which and why.\n" +
	"No value may hold a line break or be longer than 4096 bytes, except for those that replace a template.\n" +
	"Templates that a label can replace are described with the templates.\n\n" +
	"With `--pods` the labels of a pod do the same for its endpoints.\n" +
	"`{n}` counts them over all containers in the order of the definition, from 0; labels of containers and endpoints are not read.\n" +
	"Pods have no service ports: `HAPROXY_{n}_PORT` gives an endpoint one, and without it only hosts and the app ID, which is the pod's, lead to it.\n" +
	"An endpoint with a host port is reached at the agent, another one in the container network; what is only on an agent's bridge is not reached.\n" +
	"An instance is served when it is stable, or when it is degraded and the endpoint is healthy.\n" +
	"During an update instances of both versions are served, paired by the names of endpoints.\n"

const templateIntroduction = "# Templates\n\n" +
	"A configuration is made of templates.\n" +
	"The text of a template for one service is the label `HAPROXY_{n}_NAME` if there is one; else the variable `HAPROXY_NAME` if it is not empty; else the file `templates/HAPROXY_NAME` of the Mesos sandbox or of the working directory; else the default shown here.\n" +
	"In a variable, `\\n` stands for a line break.\n" +
	"In formatted templates names in braces are filled in, and a literal brace is written twice; raw ones are taken as they are, and only in their defaults values of the instance are filled in.\n" +
	"A name that no template knows is an error: at start, or for the service whose label holds it.\n" +
	"A missing line break at the end is added.\n\n" +
	"`mlb templates` lists all with their sources, `mlb templates NAME` prints a text, `mlb templates --dir templates` writes files to begin with; files that are equal to the default count as the default.\n\n" +
	"Variables and files are checked at start: directives that HAProxy no longer has are named with their successors, and `daemon` may not be in HAPROXY_HEAD, because mlb supervises HAProxy.\n\n" +
	"What a label may say: in the sections of its own service almost everything, but no other section, no file, environment variable, Lua, filter, log target or socket, nothing of other services, and no server on the balancer itself.\n" +
	"Among the rules of ports 80, 443 and 9091, which all services share: conditions named `WORD_{backend}`, `host_{cleanedUpHostname}`, `auth_{cleanedUpHostname}` or `app_{cleanedUpAppId}`, and rules whose `if` demands one of the service's own hosts, or on 9091 its app id, compared as a whole.\n" +
	"Those rules may not change what other services' rules look at, as host, path or password.\n" +
	"A label that says more costs its service, and `/_mlb/problems` names template, line and reason; `--template-labels` says which apps may have such labels at all.\n"
