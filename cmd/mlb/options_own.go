package main

import (
	"errors"
	"net"
	"net/netip"
	"regexp"

	"github.com/spf13/pflag"

	"mlb/admin"
)

// ownOptions are mlb's own places: addresses, folders, programs.
func ownOptions() []option {
	return []option{
		{
			name: "http-bind", own: true, arg: "ADDR:PORT", topic: topicListeners, def: "*:80",
			doc:  "Where the HTTP listener listens.",
			bind: func(d *draft) pflag.Value { return addressFlag(&d.HTTP) },
		},
		{
			name: "https-bind", own: true, arg: "ADDR:PORT", topic: topicListeners, def: "*:443",
			doc:  "Where the HTTPS listener listens.",
			bind: func(d *draft) pflag.Value { return addressFlag(&d.HTTPS) },
		},
		{
			name: "appid-bind", own: true, arg: "ADDR:PORT", topic: topicListeners, def: "*:9091",
			doc:  "Where the listener listens that routes by the header `X-Marathon-App-Id`.",
			bind: func(d *draft) pflag.Value { return addressFlag(&d.AppID) },
		},
		{
			name: "stats-bind", own: true, arg: "ADDR:PORT", topic: topicListeners, def: "*:9090",
			doc:  "Where the statistics, the metrics and the other endpoints are.",
			bind: func(d *draft) pflag.Value { return addressFlag(&d.Stats) },
		},
		{
			name: "bind-address", own: true, arg: "ADDR", topic: topicListeners, def: "*",
			doc:  "Where service ports listen unless a label says otherwise; `*` means all addresses.",
			bind: func(d *draft) pflag.Value { return hostFlag(&d.BindAddress) },
		},
		{
			name: "http2", own: true, arity: takesNone, topic: topicListeners,
			doc:  "Offer HTTP/2 on the HTTPS listener. Requests there are then routed by the header Host instead of SNI, and a host that the connection's certificate does not stand for is answered with 421.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.HTTP2) },
		},
		{
			name: "marathon-cluster", own: true, arity: takesEach, arg: "NAME=URL,URL", topic: topicMarathon,
			doc: "Another Marathon cluster, with the base URLs of its masters; may be repeated. Its apps are known as `NAME:/path` in every name and in the header `X-Marathon-App-Id`. " +
				"The name has lower-case letters, digits and dashes. Without `--marathon` there are only such clusters. Credentials and certificates are the same for all. The variable separates clusters by blanks.",
			bind: func(d *draft) pflag.Value { return flagList{&d.named} },
		},
		{
			name: "marathon-server-name", own: true, arg: "HOST", topic: topicMarathon,
			doc:  "Name or address that certificates of Marathon have to be for, in place of the host in the URL or in a standby's redirect; it is sent when a connection begins. Without `--marathon-ca-cert` it is sent and nothing is verified. Logins at DC/OS and Vault do without it.",
			bind: func(d *draft) pflag.Value { return flagValue[string]{&d.ServerName, parseServerName, showText} },
		},
		{
			name: "marathon-client-cert", own: true, arg: "FILE", topic: topicMarathon,
			doc:  "Certificate in PEM, with those between it and its authority after it, that is shown to Marathon and to the login of DC/OS if they ask for one. Needs `--marathon-client-key`. Both files are read again for each new connection, so that a renewed certificate needs no restart.",
			bind: func(d *draft) pflag.Value { return pathFlag(&d.ClientCert) },
		},
		{
			name: "marathon-client-key", own: true, arg: "FILE", topic: topicMarathon,
			doc:  "Key in PEM, not encrypted, of `--marathon-client-cert`.",
			bind: func(d *draft) pflag.Value { return pathFlag(&d.ClientKey) },
		},
		{
			name: "template-labels", own: true, arg: "APPS", topic: topicServices, def: "*",
			doc: "Comma list of the apps whose labels may replace templates: app ids, ids ending in `/*` for all below, `*` for all, `none`. Those of a named cluster begin with its name, as in `east:/shop/*`. Another app that has such a label is left out and reported.",
			bind: func(d *draft) pflag.Value {
				return flagValue[AppList]{&d.TemplateLabels, parseAppList, AppList.String}
			},
		},
		{
			name: "pods", own: true, arity: takesNone, topic: topicServices,
			doc:  "Serve pods too (Marathon 1.4 and later). Their labels are those of apps; `{n}` counts the endpoints of all containers in the order of the definition, and `HAPROXY_{n}_PORT` gives an endpoint a service port.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.Pods) },
		},
		{
			name: "admin-listen", own: true, arg: "ADDR:PORT", topic: topicListeners,
			doc:  "Additional TCP address of mlb's own interface; port 0 takes a free one. Without it there is none.",
			bind: func(d *draft) pflag.Value { return flagValue[string]{&d.AdminListen, parseListen, showText} },
		},
		{
			name: "admin-sources", own: true, arg: "all|none|NETWORK,...", topic: topicListeners, def: "all",
			doc: "Clients that may use `/_mlb_signal/…`, `/_mlb/reload` and `/_mlb/release`, and see `/_haproxy_getconfig`, the maps and `/_mlb/problems`: addresses and networks, separated by commas. " +
				"Others get 403. A custom HEAD has to set the header `X-Mlb-Client` to the client's address, as mlb's own does.",
			bind: func(d *draft) pflag.Value {
				return flagValue[admin.Sources]{&d.AdminSources, admin.ParseSources, admin.Sources.String}
			},
		},
		{
			name: "ssl-dir", own: true, arg: "DIR", topic: topicFiles, def: "/etc/ssl",
			doc:  "Folder for certificates from the environment and for the self-signed one.",
			bind: func(d *draft) pflag.Value { return placeFlag(&d.sslDir) },
		},
		{
			name: "state-dir", own: true, arg: "DIR", topic: topicFiles, def: "/var/lib/mlb",
			doc:  "Folder for what mlb keeps over a restart.",
			bind: func(d *draft) pflag.Value { return pathFlag(&d.StateDir) },
		},
		{
			name: "server-state-dir", own: true, arg: "DIR", topic: topicFiles, def: "/var/state/haproxy",
			doc:  "Folder of the file `global`, in which HAProxy finds the states of servers after a reload.",
			bind: func(d *draft) pflag.Value { return placeFlag(&d.ServerStateDir) },
		},
		{
			name: "socket-dir", own: true, arg: "DIR", topic: topicFiles, def: defaultSocketDir,
			doc:  "Folder of the sockets of HAProxy and of mlb. Each instance on a machine needs its own.",
			bind: func(d *draft) pflag.Value { return placeFlag(&d.SocketDir) },
		},
		{
			name: "runtime-socket", own: true, arg: "SOCKET", topic: topicHAProxy,
			doc:  "Stats socket with `level admin`, or master socket, of an HAProxy that somebody else runs. Servers are then changed over it, and `--command` is left for what needs a reload. Without it every change is one of the file.",
			bind: func(d *draft) pflag.Value { return pathFlag(&d.RuntimeSocket) },
		},
		{
			name: "haproxy-binary", own: true, arg: "FILE", topic: topicHAProxy, def: "haproxy",
			doc:  "The program HAProxy; looked up in PATH when it has no slash.",
			bind: func(d *draft) pflag.Value { return pathFlag(&d.HAProxyBinary) },
		},
		{
			name: "syslogd-socket", own: true, arg: "SOCKET", topic: topicLogging, def: "/dev/log",
			doc:  "Where messages are received if `HAPROXY_SYSLOGD` asks for it.",
			bind: func(d *draft) pflag.Value { return pathFlag(&d.syslogd) },
		},
		{
			name: "log-encoding", own: true, arg: "text|json", topic: topicLogging, def: "text",
			doc:  "Lines of text in the form of `--log-format`, or one JSON object for each line.",
			bind: func(d *draft) pflag.Value { return oneOfFlag(&d.Log.Encoding, "text", "json") },
		},
	}
}

// ownTimes are mlb's own times and limits.
func ownTimes() []option {
	return []option{
		{
			name: "poll-interval", own: true, arg: "DURATION", topic: topicMarathon, def: "60",
			env: "POLL_INTERVAL", envContainer: true,
			doc:  "Pause after each pass of `mlb poll`: what the command sleep takes.",
			bind: func(d *draft) pflag.Value { return pauseFlag(&d.PollInterval) },
		},
		{
			name: "resync-interval", own: true, arg: "DURATION", topic: topicMarathon, def: "300",
			doc:  "Longest time without fetching all apps while following events. Each time it is up to a fifth shorter, so that several instances do not fetch at once.",
			bind: func(d *draft) pflag.Value { return positiveSpanFlag(&d.ResyncInterval) },
		},
		{
			name: "readiness-check", own: true, arity: takesNone, topic: topicServices,
			doc:  "Serve a new task of a deployment only when its readiness check has passed. Apps that wait for that are asked every two seconds, as no event tells.",
			bind: func(d *draft) pflag.Value { return booleanFlag(&d.ReadinessCheck) },
		},
		{
			name: "max-removal", own: true, arg: "PERCENT", topic: topicMarathon, def: "50",
			doc:  "Largest share of the served endpoints, or apps, that one answer of Marathon, or several shortly after one another, may remove if neither an event nor the apps themselves say why; more, and at least three, is held back. 100 holds nothing back.",
			bind: func(d *draft) pflag.Value { return percentFlag(&d.MaxRemoval) },
		},
		{
			name: "removal-confirmations", own: true, arg: "NUMBER", topic: topicMarathon, def: "3",
			doc:  "How many further answers, ten seconds apart and from another master if there is one, have to repeat what is held back before it is believed. `mlb release` does not wait for them.",
			bind: func(d *draft) pflag.Value { return integerFlag(&d.RemovalConfirmations, 1) },
		},
		{
			name: "empty-service-timeout", own: true, arg: "DURATION", topic: topicServices, def: "10m",
			doc:  "How long a service whose app still exists keeps its place after its last task is gone, so that a restart is no reload; 0 means not at all.",
			bind: func(d *draft) pflag.Value { return spanFlag(&d.EmptyServiceTimeout) },
		},
		{
			name: "min-reload-interval", own: true, arg: "DURATION", topic: topicHAProxy, def: "1s",
			doc:  "Shortest time between two reloads; the first one after quiet is immediate.",
			bind: func(d *draft) pflag.Value { return spanFlag(&d.MinReloadInterval) },
		},
		{
			name: "drain-timeout", own: true, arg: "DURATION", topic: topicHAProxy, def: "0",
			doc:  "How long sessions to a server that leaves may go on; 0 means without limit.",
			bind: func(d *draft) pflag.Value { return spanFlag(&d.DrainTimeout) },
		},
		{
			name: "hard-stop-after", own: true, arg: "DURATION", topic: topicHAProxy, def: "0",
			doc: "How long an old worker of HAProxy may finish its connections after a reload; then they are cut. 0 means without limit. " +
				"It stands in the section `global` of mlb's own HEAD and has no effect with a custom one.",
			bind: func(d *draft) pflag.Value { return haproxySpanFlag(&d.HardStopAfter) },
		},
		{
			name: "stop-timeout", own: true, arg: "DURATION", topic: topicGeneral, def: "10s",
			doc:  "How long connections may go on after the signal to stop.",
			bind: func(d *draft) pflag.Value { return spanFlag(&d.StopTimeout) },
		},
	}
}

// parseListen reads the address of a Go listener: a host or nothing, and a port.
func parseListen(word string) (string, error) {
	name, port, err := net.SplitHostPort(word)
	if err != nil {
		return "", errors.New("want ADDR:PORT")
	}
	if number, portErr := parseInteger(port, 0); portErr != nil || number > maxPort {
		return "", errors.New("there is no port " + port)
	}
	if name != "" {
		if name, err = parseBindHost(name); err != nil {
			return "", err
		}
	}
	if name == "*" {
		name = ""
	}
	return net.JoinHostPort(name, port), nil
}

// parseServerName reads a host as certificates have it: a name or an address, no port.
func parseServerName(word string) (string, error) {
	if _, err := netip.ParseAddr(word); err == nil {
		return word, nil
	}
	if !serverName.MatchString(word) {
		return "", errors.New("want the name or address of a host, without a port")
	}
	return word, nil
}

// serverName is a host's name.
var serverName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?$`)
