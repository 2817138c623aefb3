package main

import (
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"mlb/admin"
)

// Mode is what one run of the program does.
type Mode string

// The modes. Help, LongHelp and Version print a text and end; Health, Reload,
// Templates and Demo read their own flags from [Config.Args].
const (
	ModeSSE       Mode = "sse"       // follow Marathon's events until told to stop
	ModePoll      Mode = "poll"      // fetch, apply, pause, for ever (contract 1.1, D20)
	ModeOnce      Mode = "once"      // one pass, then end
	ModeRender    Mode = "render"    // print what would be written; touch nothing (D8)
	ModeHealth    Mode = "health"    // ask a running mlb for its health
	ModeReload    Mode = "reload"    // ask a running mlb to reload HAProxy
	ModeRelease   Mode = "release"   // ask a running mlb to believe what it holds back
	ModeTemplates Mode = "templates" // list, print or write templates
	ModeDemo      Mode = "demo"      // show it all on this machine
	ModeVersion   Mode = "version"   // print the version
	ModeHelp      Mode = "help"      // print the usage
	ModeLongHelp  Mode = "longhelp"  // print the manual
)

// Config is everything that one run was told, by flags, environment and
// defaults. It is a value: nothing in it changes after [Load], and slices must
// not be written to. Durations of zero mean what their field says.
type Config struct {
	Mode Mode
	// Container says that the container's command line was used (contract 1.1),
	// with its paths and variables.
	Container bool
	// Args are the words after "health", "reload", "release", "templates" or "demo"; nil in other modes.
	Args []string

	// Marathon holds the base URLs in order of preference, without a trailing
	// slash, without credentials and without duplicates (D1).
	// Empty: there are only Clusters.
	Marathon []string
	// Clusters are the clusters with a name, in the order given.
	Clusters []Cluster
	// Auth are the credentials of flags and environment; see
	// [Config.Credentials] for those that count.
	Auth Credentials
	// CredentialFile holds "user:pass" in its first line and wins over Auth.
	// Empty: none.
	CredentialFile string
	// Vault holds credentials that are asked for at start, unless there are others.
	Vault Vault
	// DCOSCredentials are a DC/OS service account in JSON, which counts when there
	// are no other credentials.
	DCOSCredentials Secret
	// CACert is a file of certificates that Marathon's must derive from. Empty:
	// Marathon is not verified (K1).
	CACert string
	// ServerName is what certificates of Marathon have to be for. Empty: each one's host.
	ServerName string
	// ClientCert and ClientKey are the files of the client certificate that Marathon may
	// ask for. Both empty: none.
	ClientCert, ClientKey string
	// MaxBackoff bounds the wait between attempts to reach Marathon.
	MaxBackoff time.Duration
	// ResyncInterval is the longest time without fetching everything (mode sse).
	ResyncInterval time.Duration
	// MaxRemoval is the share, in percent, of what is served that one answer may remove
	// without a reason; one that would remove more is held until RemovalConfirmations
	// further ones have said the same.
	MaxRemoval, RemovalConfirmations int
	// PollInterval is the pause after each pass in mode poll.
	PollInterval time.Duration

	// Groups are the names that decide which services are taken (contract 3), in
	// the order given, without duplicates.
	Groups []string
	// FrameworkName is the app, without its leading slash, that is this balancer
	// and is skipped. Empty: none.
	FrameworkName string
	Strict        bool // services need HAPROXY_{n}_ENABLED
	HealthCheck   bool // Marathon's verdicts decide about tasks (contract 2.4)
	// ReadinessCheck keeps new tasks out until they are ready.
	ReadinessCheck bool
	Pods           bool // pods are served as well
	// MinServicePort and MaxServicePort are the first and last port that is
	// assigned to services without one; both 0: none is.
	MinServicePort, MaxServicePort int
	// LRUCacheCapacity is the number of verdicts and addresses remembered.
	LRUCacheCapacity int
	// EmptyServiceTimeout is how long a service keeps its section after its last
	// task is gone (D62); 0: not at all.
	EmptyServiceTimeout time.Duration

	// TemplateLabels are the apps whose labels may replace templates (D36).
	TemplateLabels AppList
	// HTTP, HTTPS, AppID and Stats are the four fixed listeners.
	HTTP, HTTPS, AppID, Stats BindAddress
	// DontBindHTTPAndHTTPS leaves out the listeners HTTP and HTTPS.
	DontBindHTTPAndHTTPS bool
	// BindAddress is where service ports listen unless a label says otherwise.
	BindAddress string
	// AdminListen is an additional TCP address of mlb's own interface, for
	// example 127.0.0.1:9095. Empty: none.
	AdminListen string
	// AdminSources are the clients that may send signals and see the configuration
	// by HTTP (D49, D51).
	AdminSources admin.Sources
	// HAProxyMap and GroupHTTPSByVhost choose other ways to route
	// (contract 5.5 and 5.6).
	HAProxyMap, GroupHTTPSByVhost bool
	// HTTP2 offers HTTP/2 on the listener HTTPS and routes by Host there (K20).
	HTTP2        bool
	Certificates Certificates

	// HAProxyBinary is the program, looked up in PATH unless it has a slash.
	HAProxyBinary string
	// Command is the reload command, in words. Nil: in the container form the
	// master reloads, else the init system does if there is one (contract 7).
	Command []string
	// RuntimeSocket is a socket of somebody else's HAProxy for runtime steps.
	// Empty: there are none.
	RuntimeSocket     string
	SkipValidation    bool          // never run haproxy -c
	SkipConfigCleanup bool          // drop an invalid result as a whole
	MaxReloadRetries  int           // runs of Command; negative: no limit
	ReloadInterval    time.Duration // between runs of Command
	MinReloadInterval time.Duration // between two reloads
	DrainTimeout      time.Duration // how long a leaving server may finish; 0: no limit
	HardStopAfter     time.Duration // how long an old worker may finish; 0: no limit
	StopTimeout       time.Duration // how long the end of mlb may take
	// DefaultOptions are HAProxy's options for the section defaults, sorted.
	DefaultOptions []string
	// Templates are the non-empty variables HAPROXY_<TEMPLATE> by template name,
	// for example "HEAD". It also holds variables of that form that are no
	// template. Do not change it.
	Templates map[string]string
	// SandboxTemplates is the folder of templates in the Mesos sandbox, which
	// need not exist. Empty: there is no sandbox.
	SandboxTemplates string

	// HAProxyConfig is the file to write, an absolute path; its folder also holds the maps.
	HAProxyConfig string
	// StateDir is for what mlb itself keeps over a restart, ServerStateDir for
	// the file with the states of servers that HAProxy reads, SocketDir for
	// sockets. All but StateDir are absolute, as HAProxyConfig is.
	StateDir, ServerStateDir, SocketDir string
	// ArchiveVersions is the number of old copies kept of each file.
	ArchiveVersions int

	Log Logging
	// SyslogdSocket is where others' messages are received and copied to the output
	// (contract 1.1 step 1). Empty: they are not.
	SyslogdSocket string
	// Sysctls are kernel parameters to set at start, in words key=value; with
	// SysctlsLenient one that cannot be set is only logged (contract 1.1 step 5).
	Sysctls        []string
	SysctlsLenient bool

	// Warnings are to be logged once at start: options without effect yet, and
	// choices that are unsafe.
	Warnings []string
	// Settings are all options with the values in effect, for the log. Secrets
	// are masked.
	Settings []Setting
}

// Logging is how and where to log.
type Logging struct {
	// Level is the lowest level that is written.
	Level zapcore.Level
	// Encoding is "text" or "json".
	Encoding string
	// Format is the form of a line of text, see --log-format.
	Format string
	// SyslogSocket also receives the log. Empty: none.
	SyslogSocket string
}

// Setting is one option as it is in effect.
type Setting struct {
	Name string // without dashes
	// Value as it would be written on the command line, masked for secrets.
	Value string
	// Origin is "flag", the name of a variable, or "default".
	Origin string
}

// HAProxyDir returns the folder of the configuration and the maps, the
// {haproxy_dir} of templates.
func (c Config) HAProxyDir() string { return filepath.Dir(c.HAProxyConfig) }

// MarshalLogObject adds the options that are not at their default, for one line
// of the log at start. No secret is among them.
func (c Config) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("mode", string(c.Mode))
	for _, s := range c.Settings {
		if s.Origin != originDefault {
			enc.AddString(s.Name, s.Value)
		}
	}
	return nil
}

var _ zapcore.ObjectMarshaler = Config{}

// draft is a Config in the making: it also has the options that are no field of
// a Config because they become one only together with others.
type draft struct {
	Config

	help, longHelp, sse, dry bool

	marathon     []string
	named        []string
	auth         Secret
	sslCerts     string
	sslDir       string
	logLevel     string
	syslogSocket string
	syslogd      string
}

// Load reads a command line and an environment. args begins with the name under
// which the program was started, which can choose the form of the rest
// (contract 1.1: run, marathon_lb.py); environ is as os.Environ returns it.
//
// A flag beats the environment, which beats the default. Load reads no file, and of the
// system only the working directory; [Config.Credentials] reads the file it may need. All
// mistakes are reported in one [*StartError].
func Load(args, environ []string) (Config, error) {
	call, err := readInvocation(args)
	if err != nil {
		return Config{}, err
	}
	if call.mode == ModeTemplates {
		env := newEnvironment(environ)
		return Config{Mode: call.mode, Args: call.rest, Templates: env.templates(), SandboxTemplates: env.sandboxTemplates()}, nil
	}
	if call.foreignFlags() {
		return Config{Mode: call.mode, Args: call.rest}, nil
	}
	l := loader{
		call:   call,
		env:    newEnvironment(environ),
		opts:   options(),
		origin: make(map[string]string),
	}
	return l.read()
}

// loader turns one invocation into a Config.
type loader struct {
	call   invocation
	env    environment
	opts   []option
	origin map[string]string // of the options that are not at their default
	draft  draft
	wrong  StartError
}

// The origins of a setting that are not the name of a variable.
const (
	originFlag    = "flag"
	originDefault = "default"
)

// read parses, fills in defaults, checks and completes.
func (l *loader) read() (Config, error) {
	l.draft.Mode = l.call.mode
	l.draft.Container = l.call.container
	if l.call.container && l.env.get("PORTS") == "" {
		l.wrong.add(exitFailure, "PORTS is not set: give the ports to be used, for example PORTS=9090")
	}
	l.parseFlags()
	if mode, asked := l.draft.textMode(); asked {
		return Config{Mode: mode, Container: l.call.container}, nil
	}
	l.fillIn()
	l.complete()
	if len(l.wrong.Mistakes) > 0 {
		return Config{}, &l.wrong
	}
	return l.draft.Config, nil
}

// textMode says whether a text was asked for instead of work.
func (d *draft) textMode() (Mode, bool) {
	switch {
	case d.help:
		return ModeHelp, true
	case d.longHelp:
		return ModeLongHelp, true
	default:
		return "", false
	}
}

// parseFlags has pflag parse the normalised flags one by one, so that one
// mistake does not hide the next.
func (l *loader) parseFlags() {
	fs := newFlagSet(l.opts, &l.draft)
	plain := normalise(l.opts, l.call.rest)
	for _, word := range plain.flags {
		if err := fs.Parse([]string{word}); err != nil {
			l.wrong.usage(l.call, flagMistake(word, err))
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		l.origin[name] = originFlag
	}
	for _, mistake := range plain.mistakes {
		l.wrong.usage(l.call, mistake)
	}
}

// fillIn gives every option that no flag has set the value of its variable, or
// its default.
func (l *loader) fillIn() {
	fs := newFlagSet(l.opts, &l.draft)
	for _, o := range l.opts {
		if l.origin[o.name] == originFlag {
			continue
		}
		variable := o.variable()
		if o.envContainer && !l.call.container {
			variable = ""
		}
		if word := l.env.get(variable); word != "" {
			l.origin[o.name] = variable
			if err := fs.Set(o.name, word); err != nil {
				l.wrong.add(exitUsage, variable+": "+plainError(err))
			}
			continue
		}
		if word := o.fallback(l.call.container); word != "" {
			if err := fs.Set(o.name, word); err != nil {
				l.wrong.add(exitUsage, "default of --"+o.name+": "+plainError(err))
			}
		}
	}
}

// settings lists all options as they are in effect.
func (l *loader) settings() []Setting {
	fs := newFlagSet(l.opts, &l.draft)
	settings := make([]Setting, 0, len(l.opts))
	for _, o := range l.opts {
		origin, set := l.origin[o.name]
		if !set {
			origin = originDefault
		}
		settings = append(settings, Setting{Name: o.name, Value: fs.Lookup(o.name).Value.String(), Origin: origin})
	}
	return settings
}
