package main

import (
	"errors"
	"slices"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/pflag"
)

// options is the table of all options: those of contract 1.2, then mlb's own.
func options() []option {
	return slices.Concat(generalOptions(), marathonOptions(), serviceOptions(), haproxyOptions(), loggingOptions(), ownOptions(), ownTimes())
}

// generalOptions are about the run itself.
func generalOptions() []option {
	return []option{
		{
			name: "help", short: "h", arity: takesNone, topic: topicGeneral,
			doc:  "Print this usage and end.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.help) },
		},
		{
			name: "longhelp", arity: takesNone, topic: topicGeneral,
			doc:  "Print the manual as Markdown and end.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.longHelp) },
		},
		{
			name: "sse", short: "s", arity: takesNone, topic: topicGeneral,
			doc:  "Stay and follow Marathon's events, as `mlb sse` does.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.sse) },
		},
		{
			name: "dry", short: "d", arity: takesNone, topic: topicGeneral,
			doc:  "Print the configuration and end, writing and reloading nothing, as `mlb render` does.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.dry) },
		},
	}
}

// marathonOptions are about reaching Marathon.
func marathonOptions() []option {
	return []option{
		{
			name: "marathon", short: "m", arity: takesMany, arg: "URL...", topic: topicMarathon, def: "http://master.mesos:8080",
			doc:  "Base URLs of Marathon, in order of preference. May be repeated; all of them are used, duplicates are dropped. A path prefix is kept.",
			bind: func(d *draft) pflag.Value { return flagList{&d.marathon} },
		},
		{
			name: "marathon-auth-credential-file", arg: "FILE", topic: topicMarathon,
			doc:  "File whose first line is `user:pass`. Wins over all other credentials; an empty first line means none.",
			bind: func(d *draft) pflag.Value { return textFlag(&d.CredentialFile) },
		},
		{
			name: "auth-credentials", arg: "USER:PASS", topic: topicMarathon, hidden: true,
			doc:  "Credentials for Marathon; the password begins after the first colon. A file is the better place, because other users of the machine can see command lines.",
			bind: func(d *draft) pflag.Value { return secretFlag(&d.auth) },
		},
		{
			name: "dcos-auth-credentials", arg: "JSON", topic: topicMarathon, hidden: true,
			env:  "DCOS_SERVICE_ACCOUNT_CREDENTIAL",
			doc:  "DC/OS service account with `uid`, `private_key` and `login_endpoint`; mlb logs in there for a token and renews it. Basic credentials win.",
			bind: func(d *draft) pflag.Value { return secretFlag(&d.DCOSCredentials) },
		},
		{
			name: "marathon-ca-cert", arg: "FILE", topic: topicMarathon,
			doc:  "Certificates that Marathon's must derive from. Without it HTTPS to Marathon is not verified.",
			bind: func(d *draft) pflag.Value { return textFlag(&d.CACert) },
		},
		{
			name: "max-backoff", arg: "SECONDS", topic: topicMarathon, def: "300",
			doc:  "Upper bound of the wait between attempts to follow events.",
			bind: func(d *draft) pflag.Value { return spanFlag(&d.MaxBackoff) },
		},
	}
}

// serviceOptions are about which services and tasks are served.
func serviceOptions() []option {
	return []option{
		{
			name: "group", arity: takesEach, arg: "NAME", topic: topicServices,
			doc:  "Serve the services of this group. Required, may be repeated; `*` serves all, also those without a group.",
			bind: func(d *draft) pflag.Value { return flagList{&d.Groups} },
		},
		{
			name: "strict-mode", arity: takesNone, topic: topicServices,
			doc:  "Serve only services with a truthy label `HAPROXY_{n}_ENABLED`.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.Strict) },
		},
		{
			name: "health-check", short: "H", arity: takesNone, topic: topicServices,
			doc:  "Serve a task only when Marathon's health checks call it alive.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.HealthCheck) },
		},
		{
			name: "lru-cache-capacity", arg: "NUMBER", topic: topicServices, def: "1000",
			doc:  "Number of health verdicts and addresses that are remembered.",
			bind: func(d *draft) pflag.Value { return integerFlag(&d.LRUCacheCapacity, 0) },
		},
		{
			name: "min-serv-port-ip-per-task", arg: "PORT", topic: topicServices, def: "10050",
			doc:  "First port assigned to services of apps with an address per task that have none. Both 0: none is assigned.",
			bind: func(d *draft) pflag.Value { return integerFlag(&d.MinServicePort, 0) },
		},
		{
			name: "max-serv-port-ip-per-task", arg: "PORT", topic: topicServices, def: "10100",
			doc:  "Last such port.",
			bind: func(d *draft) pflag.Value { return integerFlag(&d.MaxServicePort, 0) },
		},
	}
}

// haproxyOptions are about HAProxy, its files and how it is changed.
func haproxyOptions() []option {
	return []option{
		{
			name: "haproxy-config", arg: "FILE", topic: topicFiles, def: "/etc/haproxy/haproxy.cfg", container: "/marathon-lb/haproxy.cfg",
			doc:  "The configuration to write. Its folder holds the maps too.",
			bind: func(d *draft) pflag.Value { return placeFlag(&d.HAProxyConfig) },
		},
		{
			name: "archive-versions", arg: "NUMBER", topic: topicFiles, def: "5",
			doc:  "Old copies kept of each written file, in the folder `archive` of `--state-dir`; 0 and 1 both keep one.",
			bind: func(d *draft) pflag.Value { return integerFlag(&d.ArchiveVersions, 0) },
		},
		{
			name: "ssl-certs", arg: "FILES", topic: topicListeners,
			doc:  "Comma list of certificate files or folders for the HTTPS listener; the first is the default certificate. Without it: `cert.pem` in the folder of `--ssl-dir`. The container form adds certificates from the environment, and makes a self-signed one when there is neither.",
			bind: func(d *draft) pflag.Value { return textFlag(&d.sslCerts) },
		},
		{
			name: "dont-bind-http-https", arity: takesNone, topic: topicListeners,
			doc:  "Leave out the HTTP and the HTTPS listener.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.DontBindHTTPAndHTTPS) },
		},
		{
			name: "haproxy-map", arity: takesNone, topic: topicHAProxy,
			doc:  "Look hosts and app ids up in `domain2backend.map` and `app2backend.map` beside the configuration, by the templates `HAPROXY_MAP_*`. Routing is the same; without it mlb uses maps of its own.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.HAProxyMap) },
		},
		{
			name: "group-https-by-vhost", arity: takesNone, topic: topicHAProxy,
			doc:  "Route HTTPS by SNI to a TLS frontend for each virtual host.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.GroupHTTPSByVhost) },
		},
		{
			name: "command", short: "c", arg: "COMMAND", topic: topicHAProxy,
			doc: "Command that reloads HAProxy after a file has changed; split into words as a shell does, without a shell. " +
				"It is run again until it ends with status 0 and a new HAProxy process is seen. " +
				"Without it, flags alone and `mlb once` look for an init system that knows HAProxy, and reload nothing if there is none. " +
				"In the container form mlb still runs HAProxy; the command finds the path of the master's socket in `HAPROXY_MASTER_SOCKET`.",
			bind: func(d *draft) pflag.Value { return wordsFlag(&d.Command) },
		},
		{
			name: "max-reload-retries", arg: "NUMBER", topic: topicHAProxy, def: "10",
			doc:  "Runs of the reload command in all until a new HAProxy is seen; 0 means one, negative no limit. Then there is a longer pause, and it begins again.",
			bind: func(d *draft) pflag.Value { return anyIntegerFlag(&d.MaxReloadRetries) },
		},
		{
			name: "reload-interval", arg: "SECONDS", topic: topicHAProxy, def: "10",
			doc:  "Time between these runs.",
			bind: func(d *draft) pflag.Value { return spanFlag(&d.ReloadInterval) },
		},
		{
			name: "skip-validation", arity: takesNone, topic: topicHAProxy,
			doc:  "Never check a configuration with `haproxy -c`.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.SkipValidation) },
		},
		{
			name: "skip-config-cleanup", arity: takesNone, topic: topicHAProxy,
			doc:  "Drop a refused configuration as a whole instead of leaving out the app at fault.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.SkipConfigCleanup) },
		},
	}
}

// loggingOptions are about the log.
func loggingOptions() []option {
	return []option{
		{
			name: "log-level", arg: "LEVEL", topic: topicLogging, def: "DEBUG",
			doc:  "CRITICAL, ERROR, WARNING, INFO, DEBUG or NOTSET, in any case. The log goes to standard error.",
			bind: func(d *draft) pflag.Value { return textFlag(&d.logLevel) },
		},
		{
			name: "log-format", arg: "FORMAT", topic: topicLogging, def: "%(asctime)-15s %(name)s: %(message)s",
			doc:  "Form of a line of text: `asctime`, `name`, `levelname`, `message` and `process` in Python's percent style, with width and precision. Anything else is printed as it is.",
			bind: func(d *draft) pflag.Value { return textFlag(&d.Log.Format) },
		},
		{
			name: "syslog-socket", arg: "SOCKET", topic: topicLogging, def: "/dev/log", container: "/dev/null",
			env: "SYSLOG_SOCKET", envContainer: true,
			doc:  "Datagram socket that also receives the log; `/dev/null` means none. If it is missing there is a warning.",
			bind: func(d *draft) pflag.Value { return textFlag(&d.syslogSocket) },
		},
	}
}

// wordsFlag takes a command line and splits it as a shell does.
func wordsFlag(place *[]string) pflag.Value {
	parse := func(line string) ([]string, error) {
		split, err := shellquote.Split(line)
		if err != nil {
			return nil, err
		}
		if len(split) == 0 {
			return nil, errors.New("must not be empty")
		}
		return split, nil
	}
	return flagValue[[]string]{place, parse, func(split []string) string { return shellquote.Join(split...) }}
}
