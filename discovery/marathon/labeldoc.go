package marathon

// LabelDoc tells users what a label does. Labels that replace a template are not
// described here but with the templates.
type LabelDoc struct {
	// Key is the label, with {n} in place of the port index.
	Key string
	// Grammar is what the value may be, as a phrase.
	Grammar string
	// Default is what holds without the label, as a phrase.
	Default string
	// Effect is what the label does, in sentences.
	Effect string
}

// LabelDocs returns the description of every label with a value, those of a port
// first, in the order in which a reader wants them. The rules are those of ruleOf;
// the source is contract 4.1 and 4.2.
func LabelDocs() []LabelDoc {
	var docs []LabelDoc
	docs = append(docs, routingDocs()...)
	docs = append(docs, portDocs()...)
	docs = append(docs, protectionDocs()...)
	docs = append(docs, rewritingDocs()...)
	return append(docs, appDocs()...)
}

func routingDocs() []LabelDoc {
	return []LabelDoc{
		{
			"HAPROXY_{n}_VHOST", "host names, separated by commas or blanks", "none",
			"The service answers for these hosts on 80 and 443, whatever their case and the port in the request. " +
				"A service with a host is of mode http unless something else says otherwise. A `*` has no special meaning.",
		},
		{
			"HAPROXY_{n}_PATH", "prefixes separated by blanks, after HAProxy's match flags such as `-i`", "every path",
			"The service answers for its hosts only where the path begins with one of the prefixes. It then goes before services that have the whole host: weight 0 counts as 1.",
		},
		{
			"HAPROXY_{n}_BACKEND_WEIGHT", "whole number", "0",
			"Of services that share a host, the one with the larger weight is asked first. With equal weights the smaller app ID gets the requests, and the other is reported.",
		},
		{
			"HAPROXY_{n}_ENABLED", "`true`, `t`, `yes` or `y` in any case; all else means no", "yes; no with `--strict-mode`",
			"Whether the port is served at all.",
		},
		{
			"HAPROXY_{n}_GROUP", "names, separated by commas without blanks", "`HAPROXY_GROUP`",
			"The balancers that take this port: those started with one of the names, or with `*`. Empty hides the port.",
		},
	}
}

func portDocs() []LabelDoc {
	return []LabelDoc{
		{
			"HAPROXY_{n}_PORT", "port number", "Marathon's service port; none for a pod's endpoint",
			"The port that clients connect to; names of backends and servers follow it.",
		},
		{
			"HAPROXY_{n}_BIND_ADDR", "`*`, an IP address or a name that can be looked up", "`--bind-address`",
			"The address on which the service port listens.",
		},
		{
			"HAPROXY_{n}_BIND_OPTIONS", "options of HAProxy's `bind`", "none",
			"Appended to the service port's bind line; with `--group-https-by-vhost` to that of the virtual host too. Options that open sockets are refused, and files must be in a folder of certificates.",
		},
		{
			"HAPROXY_{n}_SSL_CERT", "absolute path", "none",
			"TLS with this certificate on the service port; with `--group-https-by-vhost` the certificate of the virtual host.",
		},
		{
			"HAPROXY_{n}_MODE", "`http` or `tcp`", "`http` with a host or an HTTP health check, else `tcp`",
			"How HAProxy handles connections. A health check that is borrowed from another port wins over the label.",
		},
		{
			"HAPROXY_{n}_BALANCE", "arguments of HAProxy's `balance`", "`roundrobin`",
			"How requests are spread over tasks.",
		},
		{
			"HAPROXY_{n}_STICKY", "`true`, `t`, `yes` or `y` in any case; all else means no", "no",
			"A client stays with its task, by the cookie `mesosphere_server_id`.",
		},
		{
			"HAPROXY_{n}_BACKEND_HEALTHCHECK_PORT_INDEX", "port index", "the own port",
			"HAProxy checks tasks at this port instead, with that port's health check if there is no own one.",
		},
	}
}

func protectionDocs() []LabelDoc {
	return []LabelDoc{
		{
			"HAPROXY_{n}_AUTH", "`realm:user:hash`, none empty; the hash as crypt(3) makes it", "open",
			"Basic authentication for the hosts on 80 and 443; the service port and 9091 stay open. Without a path it holds for the whole host, other apps included. A value that is malformed costs the service, so that it is never served unprotected.",
		},
		{
			"HAPROXY_{n}_BACKEND_NETWORK_ALLOWED_ACL", "addresses and networks, separated by blanks", "everybody",
			"Only these clients reach the service, by any way; others get 403, or a closed connection in mode tcp.",
		},
		{
			"HAPROXY_{n}_REDIRECT_TO_HTTPS", "`true`, `t`, `yes` or `y` in any case; all else means no", "no",
			"Requests for the hosts and path on 80 are sent to the same URL on https with 301.",
		},
		{
			"HAPROXY_{n}_USE_HSTS", "`true`, `t`, `yes` or `y` in any case; all else means no", "no",
			"Every answer has the header Strict-Transport-Security, for 15768000 seconds, over plain HTTP too.",
		},
	}
}

func rewritingDocs() []LabelDoc {
	return []LabelDoc{
		{
			"HAPROXY_{n}_HTTP_BACKEND_PROXYPASS_PATH", "path", "none",
			"The prefix is cut off the path of requests, and Host is set to the virtual host if there is exactly one.",
		},
		{
			"HAPROXY_{n}_HTTP_BACKEND_REVPROXY_PATH", "path", "none",
			"A Location of an answer that leads to the own host, or names no host, is replaced by the path as a whole.",
		},
		{
			"HAPROXY_{n}_HTTP_BACKEND_REDIR", "path, or URL that begins with http", "none",
			"Requests for exactly `/` are sent there with 301.",
		},
	}
}

func appDocs() []LabelDoc {
	return []LabelDoc{
		{
			"HAPROXY_GROUP", "names, separated by commas without blanks", "none",
			"The balancers that take the app's ports. Apps without it are taken with `--group '*'` only.",
		},
		{
			"HAPROXY_DEPLOYMENT_GROUP", "name", "none",
			"Apps of one group are served as one app of this name. While a deployment moves instances from the old one to the new one, tasks of the old one are drained.",
		},
		{
			"HAPROXY_DEPLOYMENT_STARTED_AT", "date and time; UTC without a zone", "the earliest time",
			"Decides which app of a deployment group is the old one. The deployment tool writes it.",
		},
		{
			"HAPROXY_DEPLOYMENT_TARGET_INSTANCES", "whole number", "1",
			"How many instances a deployment group shall have in the end. The deployment tool writes it.",
		},
		{
			"HAPROXY_DEPLOYMENT_NEW_INSTANCES", "whole number", "0",
			"Another number than 0 lets both apps of a deployment group serve for good. The deployment tool writes it.",
		},
		{
			"HAPROXY_DEPLOYMENT_ALT_PORT", "port number", "none",
			"The service port that the deployment tool gives every second app. mlb itself does not read it.",
		},
		{
			"HAPROXY_DEPLOYMENT_COLOUR", "`blue` or `green`", "none",
			"Written and read by the deployment tool only.",
		},
		{
			"HAPROXY_APP_ID", "app ID", "none",
			"Written by the deployment tool, read by nobody.",
		},
	}
}
