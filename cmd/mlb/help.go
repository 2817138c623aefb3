package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// helpWidth is the width of the usage in columns.
const helpWidth = 100

// form is one way to call the program.
type form struct {
	mode  Mode
	flags bool // takes the options of the table
	doc   string
}

// forms lists the ways to call mlb, in the order of the help.
func forms() []form {
	return []form{
		{ModeSSE, true, "Follow Marathon's events and keep HAProxy in step. The container's command line: PORTS must be set."},
		{ModePoll, true, "The same by asking Marathon again and again. PORTS must be set."},
		{ModeOnce, true, "Fetch, apply, end. The same as flags without a command; with --sse it stays."},
		{ModeRender, true, "Print the configuration that would be written, and touch nothing."},
		{ModeHealth, false, "Ask the mlb that runs here whether it is well."},
		{ModeReload, false, "Ask the mlb that runs here to reload HAProxy, for example after a certificate file has changed."},
		{ModeRelease, false, "Ask the mlb that runs here to believe what it holds back (--max-removal)."},
		{ModeTemplates, false, "List the templates, print texts (NAME ..., --all, --default) or write them as files (--dir DIR)."},
		{ModeDemo, false, "Show it all on this machine, with a simulated Marathon."},
		{ModeVersion, false, "Print the version."},
	}
}

// shortUsage is what stands in front of a mistake in the command line.
func shortUsage(call invocation) string {
	return fmt.Sprintf("usage: %s --group NAME [--group NAME ...] [-m URL ...] [FLAGS]\n       %s --help shows all flags\n", call.program, call.program)
}

// writeHelp prints the whole usage, flags grouped by topic, as it is for the
// container's form or for the others. It comes from the table of options.
func writeHelp(w io.Writer, container bool) error {
	var b strings.Builder
	b.WriteString("mlb keeps HAProxy in step with Marathon.\n\nUsage:\n")
	for _, f := range forms() {
		command := "mlb " + string(f.mode)
		if f.flags {
			command += " FLAGS"
		}
		fmt.Fprintf(&b, "  %-18s %s\n", command, f.doc)
	}
	opts := options()
	for _, t := range topics() {
		fs := pflag.NewFlagSet(string(t), pflag.ContinueOnError)
		fs.SortFlags = false
		for _, o := range opts {
			if o.topic == t {
				addHelp(fs, o, container)
			}
		}
		fmt.Fprintf(&b, "\n%s:\n%s", t, fs.FlagUsagesWrapped(helpWidth))
	}
	b.WriteString("\nA flag beats its variable, which beats the default. Long flags can be cut short where it is clear which is meant.\n" +
		"The manual: mlb --longhelp\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// addHelp adds one option to a flag set that is only printed, never parsed.
func addHelp(fs *pflag.FlagSet, o option, container bool) {
	doc := strings.ReplaceAll(o.doc, "`", "")
	if v := o.variable(); v != "" {
		doc += " [" + v + "]"
	}
	kind := o.arg
	if o.arity == takesNone {
		kind = "bool"
	}
	// The long name comes first on each line, where people and scripts look for it.
	if o.short != "" {
		doc = "(-" + o.short + ") " + doc
	}
	flag := fs.VarPF(helpValue{kind}, o.name, "", doc)
	flag.DefValue = o.fallback(container)
	if o.arity == takesNone {
		flag.NoOptDefVal = "true"
	}
}

// helpValue stands for an option's value in printed help.
type helpValue struct{ kind string }

// String returns nothing: defaults come from the table.
func (helpValue) String() string { return "" }

// Set does nothing: printed flags are not parsed.
func (helpValue) Set(string) error { return nil }

// Type returns what stands for the value, with its unit.
func (v helpValue) Type() string { return v.kind }

// writeManual prints the manual as Markdown: configuration, then the given
// chapters, each a Markdown text that begins with its own heading.
func writeManual(w io.Writer, chapters ...string) error {
	parts := append([]string{configurationManual()}, chapters...)
	_, err := io.WriteString(w, strings.Join(parts, "\n"))
	return err
}

// configurationManual is docs/configuration.md: every form, option and variable,
// from the tables.
func configurationManual() string {
	var b strings.Builder
	b.WriteString(manualIntroduction)
	for _, f := range forms() {
		fmt.Fprintf(&b, "| `mlb %s` | %s |\n", f.mode, f.doc)
	}
	b.WriteString(manualGrammar)
	opts := options()
	for _, t := range topics() {
		fmt.Fprintf(&b, "\n## %s\n", t)
		for _, o := range opts {
			if o.topic == t {
				o.writeManual(&b)
			}
		}
	}
	b.WriteString(manualVariables)
	for _, v := range envVariables() {
		readBy := "all"
		if v.container {
			readBy = "container"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.name, readBy, v.doc)
	}
	return b.String()
}

// writeManual writes the option's part of the manual.
func (o option) writeManual(b *strings.Builder) {
	fmt.Fprintf(b, "\n### `--%s`\n\n", o.name)
	usage := "--" + o.name
	if o.short != "" {
		usage = "-" + o.short + ", " + usage
	}
	if o.arg != "" {
		usage += " " + o.arg
	}
	fmt.Fprintf(b, "`%s`\n\n%s\n", usage, strings.ReplaceAll(o.doc, ". ", ".\n"))
	var facts []string
	if o.def != "" {
		facts = append(facts, "Default: `"+o.def+"`.")
	}
	if o.container != "" {
		facts = append(facts, "Default in the container form: `"+o.container+"`.")
	}
	if v := o.variable(); v != "" {
		fact := "Variable: `" + v + "`"
		if o.envContainer {
			fact += " (container form only)"
		}
		facts = append(facts, fact+".")
	}
	if o.own {
		facts = append(facts, "Not in marathon-lb.")
	}
	if len(facts) > 0 {
		b.WriteString("\n" + strings.Join(facts, "\n") + "\n")
	}
}

const manualIntroduction = "# Configuration\n\n" +
	"mlb reads flags and environment variables; there is no file of settings.\n" +
	"A flag beats its variable, which beats the default; an empty variable counts as unset (`HAPROXY_GLOBAL_DEFAULT_OPTIONS` excepted).\n" +
	"All mistakes are reported at once, and the program ends: status 2 for a wrong command line, status 1 where marathon-lb used it too (no `PORTS`, credentials without a colon, an unknown log level).\n" +
	"If there are several, the first one's status counts.\n\n" +
	"## Commands\n\n| Command | What it does |\n|---|---|\n"

const manualGrammar = "\n" +
	"`mlb sse` and `mlb poll` are the container form: they read the container's variables and have its defaults.\n" +
	"Under the name `run` the program is the container's entry point and takes `sse` or `poll` as its first word; under the name `marathon_lb.py` it is `mlb once`, under the name `reload_haproxy.sh` it is `mlb reload`.\n\n" +
	"## Command line\n\n" +
	"Long flags are written `--flag VALUE` or `--flag=VALUE`, and may be cut short where only one flag can be meant; flags that marathon-lb has too take precedence.\n" +
	"Short flags are written `-c VALUE` or `-cVALUE`; those without a value can be run together, as in `-sHd`.\n" +
	"`-m` takes all words up to the next flag and may be repeated; a repeated flag of one value takes the last.\n" +
	"A negative number is a value; any other value that begins with a dash is attached with `=`.\n" +
	"Durations are whole seconds or have units, as `90` or `1m30s`.\n"

const manualVariables = "\n## Environment\n\n" +
	"Beside the variables named above:\n\n" +
	"| Variable | Read by | Meaning |\n|---|---|---|\n"
