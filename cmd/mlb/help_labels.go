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

// templateManual is a heading of the second level for each template, with its
// default text.
func templateManual() string {
	var b strings.Builder
	b.WriteString(templateIntroduction)
	for _, name := range templates.Names() {
		fmt.Fprintf(&b, "\n## `HAPROXY_%s`\n\n%s\n", name, sentences(templates.Purpose(name)))
		if label := "HAPROXY_{n}_" + name; name != "HTTP_BACKEND_REDIR" && slices.Contains(marathon.LabelNames(), label) {
			fmt.Fprintf(&b, "For one service: label `%s`.\n", label)
		}
		t, err := templates.Default(name)
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

// sentences puts each sentence on a line of its own.
func sentences(text string) string { return strings.ReplaceAll(text, ". ", ".\n") }

const labelIntroduction = "# Labels\n\n" +
	"Labels of a Marathon app say how it is served.\n" +
	"`{n}` is the index of a service port in the app's definition, from 0.\n" +
	"A value that cannot be read costs the service, or is ignored where that is harmless; `/_mlb/problems` on the statistics port tells which and why.\n" +
	"No value may hold a line break or be longer than 4096 bytes, except for those that replace a template.\n" +
	"Templates that a label can replace are described with the templates.\n"

const templateIntroduction = "# Templates\n\n" +
	"A configuration is made of templates.\n" +
	"The text of a template for one service is the label `HAPROXY_{n}_NAME` if there is one; else the variable `HAPROXY_NAME` if it is not empty; else the file `templates/HAPROXY_NAME` of the working directory; else the default shown here.\n" +
	"In a variable, `\\n` stands for a line break.\n" +
	"Names in braces are filled in, and a literal brace is written twice; where HAPROXY_HEAD and the other raw templates are replaced, the text is taken as it is.\n"
