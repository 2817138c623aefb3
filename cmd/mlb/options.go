package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// arity says how many words an option takes.
type arity int

const (
	// takesOne is an option with one value; given again, the last one counts.
	takesOne arity = iota
	// takesNone is a switch.
	takesNone
	// takesEach takes one value each time it is given, and all of them count.
	takesEach
	// takesMany takes all words up to the next flag each time it is given.
	takesMany
)

// topic is a heading under which options are described.
type topic string

// The topics, in the order in which help and documentation show them.
const (
	topicMarathon  topic = "Marathon"
	topicServices  topic = "Services"
	topicListeners topic = "Listeners"
	topicHAProxy   topic = "HAProxy"
	topicFiles     topic = "Files"
	topicLogging   topic = "Logging"
	topicGeneral   topic = "General"
)

// topics lists the topics in order.
func topics() []topic {
	return []topic{
		topicGeneral, topicMarathon, topicServices, topicListeners, topicHAProxy, topicFiles, topicLogging,
	}
}

// option is one row of the table of options. Flags, the environment, --help and
// docs/configuration.md are made from these rows and from nothing else.
type option struct {
	name  string // long name without dashes
	short string // one letter, or empty
	arity arity
	arg   string // what stands for the value in help, with its unit
	topic topic
	doc   string // what it does; sentences, one after the other

	// def is the default as it would be given on the command line; container is
	// the one of the container form where that differs. Empty: the zero value.
	def, container string

	// own marks what marathon-lb does not have. Such an option can also be set
	// by the variable MLB_<NAME>, and gives way when a prefix is resolved.
	own bool
	// env is a variable that gives the default, by contract 1.4; envContainer
	// says that only the container form reads it.
	env          string
	envContainer bool

	hidden bool // the value is a secret and is not shown anywhere
	bind   func(d *draft) pflag.Value
}

// variable returns the environment variable that sets the option, or "".
func (o option) variable() string {
	switch {
	case o.env != "":
		return o.env
	case o.own:
		return "MLB_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
	default:
		return ""
	}
}

// fallback returns the option's default in the given form.
func (o option) fallback(container bool) string {
	if container && o.container != "" {
		return o.container
	}
	return o.def
}

// newFlagSet makes pflag's view of the options over one draft. Only long names
// are registered: the normaliser has replaced everything else.
func newFlagSet(opts []option, d *draft) *pflag.FlagSet {
	fs := pflag.NewFlagSet("mlb", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Usage = func() {}
	for _, o := range opts {
		flag := fs.VarPF(o.bind(d), o.name, "", o.doc)
		if o.arity == takesNone {
			flag.NoOptDefVal = "true"
		}
	}
	return fs
}
