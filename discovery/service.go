package discovery

import (
	"cmp"
	"net/netip"
	"slices"
)

// Mode is the protocol level at which HAProxy handles a service.
type Mode string

// The two modes of HAProxy that a service can have.
const (
	ModeTCP  Mode = "tcp"
	ModeHTTP Mode = "http"
)

// EndpointState says whether a task may get new connections.
type EndpointState string

// The states of an endpoint. Draining is rendered as a disabled server:
// sessions go on, new ones are not accepted (contract 2.8).
const (
	Ready    EndpointState = "ready"
	Draining EndpointState = "draining"
)

// Service is one port index of one app: what clients connect to and the tasks
// behind it. The zero value is not meaningful; discovery/marathon makes them.
type Service struct {
	// App is the app ID with its leading slash, or the name of the deployment
	// group that the app belongs to (contract 2.8), qualified with the name of its
	// cluster if that has one (Qualify).
	App string
	// PortIndex is the index of the port in the app definition, from 0. It is
	// the {n} of the labels.
	PortIndex int
	// ServicePort is the port that clients connect to: HAPROXY_{n}_PORT if
	// given, else Marathon's service port. It may be out of range (0, above
	// 65535) or taken; haproxy.Claim decides what becomes of it.
	ServicePort int
	// PortName is the name of a port for which nobody asked for a service port, as a
	// pod's endpoint without HAPROXY_{n}_PORT: hosts and app ID lead to the service, and
	// ServicePort is 0. Empty for all others.
	PortName string
	// BindAddress is the address of the service port's bind, from
	// HAPROXY_{n}_BIND_ADDR. Empty means the configured default.
	BindAddress string
	// Mode is how HAProxy handles the connections (contract 4.4).
	Mode Mode
	// Balance is the argument of HAProxy's balance directive, never empty.
	Balance string
	// Hosts are the virtual hosts, lower-cased, in label order, without
	// duplicates. Empty means that no rule on 80 and 443 leads here.
	Hosts []string
	// Path is the argument of HAProxy's path_beg, flags included. Empty means
	// every path.
	Path string
	// Weight orders the rules for hosts, larger first (contract 6.3).
	Weight int
	// BindOptions are further words of the service port's bind line, separated by
	// one blank. Empty means none.
	BindOptions string
	// Certificate is the file or folder for TLS on the service port, or for the
	// virtual hosts when HTTPS is grouped by host. Empty means none.
	Certificate string
	// Sticky asks for cookie persistence.
	Sticky bool
	// RedirectToHTTPS answers plain requests for Hosts with a redirect.
	RedirectToHTTPS bool
	// HSTS adds the header Strict-Transport-Security to every answer.
	HSTS bool
	// Auth protects the rules for Hosts with a password. Its zero value means
	// that they are open.
	Auth Auth
	// AllowedNetworks are the client networks that reach the backend, in label
	// order. Empty means all.
	AllowedNetworks []string
	// ProxyPassPath is the prefix that is cut off from request paths, with Host
	// set to the one virtual host. Empty means none.
	ProxyPassPath string
	// ReverseProxyPath replaces a Location on the own host. Empty means none.
	ReverseProxyPath string
	// RootRedirect is where requests for exactly "/" are sent. Empty means
	// nowhere.
	RootRedirect string
	// HealthCheck is the Marathon health check that HAProxy repeats. Its zero
	// value means that HAProxy does not probe the tasks.
	HealthCheck HealthCheck
	// CheckPortFrom says that HealthCheck probes each task at Endpoint.CheckPort
	// (HAPROXY_{n}_BACKEND_HEALTHCHECK_PORT_INDEX, contract 4.5 and D27).
	CheckPortFrom bool
	// Overrides are the template overrides from labels, sorted by Template.
	Overrides []Override
	// Endpoints are the tasks, draining ones included, sorted by (Agent, Port,
	// Address). Empty means that the app runs no task that may be served.
	Endpoints []Endpoint
}

// HealthCheck is the part of a Marathon health check that HAProxy's own checks
// are made from (contract 4.5).
type HealthCheck struct {
	// Protocol is Marathon's protocol word, HTTP if the check did not say. Empty
	// means that there is no check.
	Protocol string
	// Path is the path of an HTTP check, "/" by default.
	Path string
	// PortIndex is the check's portIndex; -1 if the check has none.
	PortIndex int
	// Port is the check's fixed port; 0 if the check has none.
	Port int
	// GracePeriodSeconds, IntervalSeconds and TimeoutSeconds are in seconds.
	GracePeriodSeconds, IntervalSeconds, TimeoutSeconds int
	// MaxConsecutiveFailures is Marathon's number; HAProxy's fall is one more.
	MaxConsecutiveFailures int
	// JSON is the check as Marathon gave it, compact, for the placeholder
	// {healthCheck} (D34).
	JSON string
}

// Exists reports whether there is a check at all.
func (h HealthCheck) Exists() bool { return h.Protocol != "" }

// Auth is HTTP basic authentication (HAPROXY_{n}_AUTH, contract 4.1). Either all
// parts are empty or none is.
type Auth struct {
	// Realm is shown to the client.
	Realm string
	// User is the one user that is let in.
	User string
	// Password is a crypt(3) hash.
	Password string
}

// Exists reports whether there is anything to ask for.
func (a Auth) Exists() bool { return a != Auth{} }

// Override is the text that a team's label puts in place of a template.
type Override struct {
	// Template is the template's name without HAPROXY_ or the index, such as
	// BACKEND_SERVER_OPTIONS.
	Template string
	// Text is the label's value with CR LF turned into LF.
	Text string
}

// Endpoint is one reachable port of one task.
type Endpoint struct {
	// Task is the task ID.
	Task string
	// Agent is the agent's host name as Marathon gives it; it is part of the
	// server name (contract 6.1).
	Agent string
	// Address is the literal address that HAProxy connects to.
	Address netip.Addr
	// Port is the port that HAProxy connects to, 1 to 65535.
	Port int
	// State is Ready or Draining.
	State EndpointState
	// CheckPort is the port of the same task that is probed when the service says
	// so (Service.CheckPortFrom). Zero means Port.
	CheckPort int
}

// Equal reports whether two services say the same.
func (s Service) Equal(o Service) bool {
	return s.SameButEndpoints(o) && slices.Equal(s.Endpoints, o.Endpoints)
}

// SameButEndpoints reports whether two services differ at most in their endpoints.
func (s Service) SameButEndpoints(o Service) bool {
	return s.App == o.App && s.PortIndex == o.PortIndex && s.ServicePort == o.ServicePort &&
		s.PortName == o.PortName &&
		s.BindAddress == o.BindAddress && s.Mode == o.Mode && s.Balance == o.Balance &&
		s.Path == o.Path && s.Weight == o.Weight && s.Sticky == o.Sticky &&
		s.BindOptions == o.BindOptions && s.Certificate == o.Certificate &&
		s.RedirectToHTTPS == o.RedirectToHTTPS && s.HSTS == o.HSTS && s.Auth == o.Auth &&
		s.ProxyPassPath == o.ProxyPassPath && s.ReverseProxyPath == o.ReverseProxyPath &&
		s.RootRedirect == o.RootRedirect && s.HealthCheck == o.HealthCheck && s.CheckPortFrom == o.CheckPortFrom &&
		slices.Equal(s.AllowedNetworks, o.AllowedNetworks) &&
		slices.Equal(s.Hosts, o.Hosts) && slices.Equal(s.Overrides, o.Overrides)
}

// Override returns the text of the label override for a template and whether
// there is one (an empty text is an override too).
func (s Service) Override(template string) (string, bool) {
	i, ok := slices.BinarySearchFunc(s.Overrides, template, func(o Override, t string) int {
		return cmp.Compare(o.Template, t)
	})
	if !ok {
		return "", false
	}
	return s.Overrides[i].Text, true
}

// ServiceKey tells the services of a snapshot apart.
type ServiceKey struct {
	// App, PortIndex and ServicePort are those of the service.
	App                    string
	PortIndex, ServicePort int
}

// Key returns the service's key.
func (s Service) Key() ServiceKey { return ServiceKey{s.App, s.PortIndex, s.ServicePort} }

// CompareServices orders services by (app ID, service port, port index), the
// order of everything that is rendered (contract 6.3). What has no service port
// comes after what has one.
func CompareServices(a, b Service) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(portless(a), portless(b)),
		cmp.Compare(a.ServicePort, b.ServicePort), cmp.Compare(a.PortIndex, b.PortIndex))
}

func portless(s Service) int { return min(len(s.PortName), 1) }

// CompareEndpoints orders endpoints by (agent, port, address, task).
func CompareEndpoints(a, b Endpoint) int {
	return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Port, b.Port),
		a.Address.Compare(b.Address), cmp.Compare(a.Task, b.Task))
}
