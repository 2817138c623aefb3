package marathon

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"go.uber.org/zap"

	"mlb/discovery"
)

// maxPort is the largest port number.
const maxPort = 65535

// Reasons of problems; views group by them.
const (
	reasonUnreadable   = "unreadable app"
	reasonAppID        = "bad app ID"
	reasonRepeatedApp  = "repeated app"
	reasonMissingPort  = "missing service port"
	reasonNoPort       = "no service port to assign"
	reasonRepeatedPort = "repeated service port"
	reasonLabel        = "bad label value"
	reasonBind         = "bind address does not resolve"
	reasonModeHost     = "tcp service with virtual host"
	reasonCheck        = "bad health check"
	reasonTask         = "bad task"
	reasonUnresolved   = "host name does not resolve"
	reasonNoAddress    = "task without address"
	reasonTaskPort     = "bad task port"

	reasonUnknownLabel  = "unknown label"
	reasonLabelOfNoPort = "label of a missing port"
)

// leftOut ends the detail of a problem that costs the service.
const leftOut = "; the service is left out"

// Options say which services a Deriver takes, and how.
type Options struct {
	// Cluster is the name of the cluster; empty: it has none. It only decides which
	// service ports are assigned.
	Cluster string
	// Groups are the names given with --group; "*" stands for all apps, those
	// without a group too (contract 3). Empty takes nothing.
	Groups []string
	// StrictMode takes only services that are enabled by label.
	StrictMode bool
	// HealthCheck lets Marathon's verdicts decide which tasks of an app with
	// health checks are served (contract 2.4).
	HealthCheck bool
	// MinServicePort and MaxServicePort, inclusive, are the range for service
	// ports that Marathon did not assign. Both 0: such ports do not exist.
	MinServicePort, MaxServicePort int
	// Framework is the ID without its leading slash of an app that is never
	// taken: the balancer itself. Empty means that there is none.
	Framework string
	// CertificateFolders are absolute folders in which, or below which, the files
	// that bind options name may be (contract 10.3). Empty: only beside the service's
	// own certificate.
	CertificateFolders []string
	// Readiness keeps tasks out that a running deployment started and whose readiness
	// check has not passed yet (K15 ignores it). The Client has to ask for the results.
	Readiness bool
	// VerdictCapacity is how many verdicts are kept when their tasks are no
	// longer listed. Verdicts of listed tasks are always kept.
	VerdictCapacity int
}

// hostResolver finds the addresses of host names. Names that it cannot resolve
// are missing in the answer. It must not block longer than one pass may wait.
type hostResolver interface {
	Resolve(ctx context.Context, hosts []string) map[string]netip.Addr
	// ResolveMore does the same for hosts beside those of the last pass.
	ResolveMore(ctx context.Context, hosts []string) map[string]netip.Addr
}

// Deriver turns apps into services. It remembers Marathon's verdicts between
// passes and is meant for one goroutine.
type Deriver struct {
	opts     Options
	resolver hostResolver
	verdicts *verdictMemory
	ready    readiness
	log      *zap.Logger

	// alone are the apps of the last list that nothing else decides about, assigned
	// the service ports that were given then.
	alone    map[string]bool
	assigned *assigner
}

// NewDeriver returns a Deriver that looks host names up with the resolver,
// usually a *Resolver.
func NewDeriver(opts Options, resolver hostResolver, log *zap.Logger) *Deriver {
	return &Deriver{opts: opts, resolver: resolver, verdicts: newVerdictMemory(opts.VerdictCapacity), log: log}
}

// Remember takes in what an earlier process with the same Options served: its tasks were
// alive. That never replaces what this one has seen itself.
func (d *Deriver) Remember(served []discovery.Service) {
	for _, s := range served {
		for _, e := range s.Endpoints {
			d.verdicts.restore(e.Task)
			d.ready.restore(e.Task)
		}
	}
}

// Derive returns the services of the apps that this balancer takes, and what is
// wrong with them. The order of apps matters only where service ports are
// assigned and two hashes clash (K3). A service whose app has no task to serve is
// returned without endpoints; a service that cannot be had as its team wrote it
// is a problem and never disturbs another one (D22). Derive blocks only while the
// resolver does; the apps are not changed and may be changed afterwards.
func (d *Deriver) Derive(ctx context.Context, apps []App) ([]discovery.Service, []discovery.Problem) {
	e := env{}
	if d.opts.HealthCheck {
		if n := d.verdicts.observe(apps); n > 0 {
			d.log.Debug("verdicts of unlisted tasks forgotten", zap.Int("removes", n))
		}
		e.alive = d.verdicts.alive
	}
	if d.opts.Readiness {
		d.ready.observe(apps)
		e.ready = d.ready.is
	}
	taken, problems := d.take(apps)
	e.addresses = d.resolver.Resolve(ctx, hostNames(taken))
	services, found := deriveAll(taken, e)
	problems = append(problems, found...)
	discovery.SortProblems(problems)
	return services, slices.Compact(problems)
}

// selection is an app, or a deployment group, of which this balancer takes at least
// one service.
type selection struct {
	merged
	ports []servicePort
	// owner is the place in ports whose labels define the service, for each place.
	owner []int
	// drafts are the services taken, by the place of their port.
	drafts []draft
}

// draft is a service whose labels have been read.
type draft struct {
	index int
	values
}

// take returns the apps that this balancer takes something of. Service ports are
// assigned to all apps in their order, taken or not, as every balancer must come
// to the same ports.
func (d *Deriver) take(apps []App) (taken []selection, problems []discovery.Problem) {
	readable, problems := d.readable(apps)
	assign := newAssigner(d.opts.Cluster, d.opts.MinServicePort, d.opts.MaxServicePort)
	d.alone, d.assigned = make(map[string]bool, len(readable)), assign
	for _, m := range mergeGroups(readable) {
		if d.isItself(m.id) {
			continue
		}
		if _, grouped := m.app.Labels[labelGroup]; !grouped {
			d.alone[m.id] = true
		}
		from := assign
		if m.leftOut { // what is not served takes no port from others
			from = newAssigner(d.opts.Cluster, d.opts.MinServicePort, d.opts.MaxServicePort)
		}
		s := selectServices(m, servicePorts(m, from), d.opts)
		if len(s.drafts) == 0 {
			continue
		}
		problems = append(problems, m.problems...)
		if !m.leftOut {
			taken = append(taken, s)
		}
	}
	return taken, problems
}

// isItself reports whether an ID, or the name of a group, is the balancer's.
func (d *Deriver) isItself(id string) bool {
	return d.opts.Framework != "" && strings.TrimPrefix(id, "/") == d.opts.Framework
}

// readable returns the apps that can be read, in their order, without the balancer
// itself.
func (d *Deriver) readable(apps []App) (readable []*App, problems []discovery.Problem) {
	seen := make(map[string]bool, len(apps))
	for i := range apps {
		a := &apps[i]
		if _, grouped := a.Labels[labelGroup]; !grouped && d.isItself(a.ID) {
			continue
		}
		if p, ok := appProblem(a, seen); ok {
			problems = append(problems, p)
			continue
		}
		seen[a.ID] = true
		readable = append(readable, a)
	}
	return readable, problems
}

// appProblem returns why an app cannot be read at all.
func appProblem(a *App, seen map[string]bool) (discovery.Problem, bool) {
	p := discovery.Problem{App: excerpt(a.ID), PortIndex: -1}
	switch {
	case a.Fault != "":
		p.Reason, p.Detail = reasonUnreadable, excerpt(a.Fault)+"; the app is left out"
	case !isAppID(a.ID):
		p.Reason, p.Value = reasonAppID, excerpt(a.ID)
		p.Detail = "an app ID is a path of letters, digits, dots, dashes and underscores; the app is left out"
	case seen[a.ID]:
		p.Reason, p.Detail = reasonRepeatedApp, "the ID was listed before; this app is left out"
	default:
		return discovery.Problem{}, false
	}
	return p, true
}

// isAppID reports whether text is an absolute app ID of segments that Marathon
// takes, upper case and underscores included, which it once took.
func isAppID(text string) bool {
	if !strings.HasPrefix(text, "/") || len(text) > maxText {
		return false
	}
	for segment := range strings.SplitSeq(text[1:], "/") {
		if segment == "" || strings.ContainsFunc(segment, func(r rune) bool {
			return !isLetter(r) && !isDigit(r) && !strings.ContainsRune("-._", r)
		}) {
			return false
		}
	}
	return true
}

// selectServices returns the services of an app that the options take (contract
// 3). A port that is listed several times is one service.
func selectServices(m merged, ports []servicePort, opts Options) selection {
	s := selection{merged: m, ports: ports, owner: owners(ports)}
	a := m.app
	labels := portLabels(a.Labels)
	for n := range ports {
		if s.owner[n] != n {
			continue
		}
		own := of(labels, n)
		if inGroup(a.Labels, own, opts.Groups) && enabled(own, opts.StrictMode) {
			s.drafts = append(s.drafts, draft{index: n, values: parseLabels(own, opts.CertificateFolders)})
		}
	}
	return s
}

// inGroup reports whether a service belongs to one of the groups. The port's own
// label beats the app's, and names are compared as they are written.
func inGroup(app Labels, own []portLabel, groups []string) bool {
	if slices.Contains(groups, "*") {
		return true
	}
	list, ok := find(own, "GROUP")
	if !ok {
		list, ok = app[labelPrefix+"GROUP"]
	}
	return ok && slices.ContainsFunc(strings.Split(list, ","), func(g string) bool { return slices.Contains(groups, g) })
}

func enabled(own []portLabel, strict bool) bool {
	if text, ok := find(own, "ENABLED"); ok {
		return truthy(text)
	}
	return !strict
}

// hostNames returns the names, sorted, whose addresses the selections need.
func hostNames(taken []selection) []string {
	names := make(map[string]struct{})
	for _, s := range taken {
		for _, d := range s.drafts {
			if name := d.bindName(); name != "" {
				names[name] = struct{}{}
			}
		}
		for _, m := range s.tasks {
			if _, ok := literal(m.task.Host); !ok && m.needsHost() && !idle(m.task.State) && hostName(m.task.Host) {
				names[m.task.Host] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// portCount returns how many indexes the labels of an app can have, of the apps of a
// group too.
func (s *selection) portCount(a *App) int {
	if a == s.app {
		return len(s.ports)
	}
	return len(servicePorts(single(a), newAssigner("", 1, maxPort)))
}

// env is what the derivation of an app depends on beside the app.
type env struct {
	// addresses holds what host names resolve to.
	addresses map[string]netip.Addr
	// alive is the last verdict on a task; nil means that verdicts do not matter.
	alive func(task string) bool
	// ready is what readiness checks say of a task of an app; nil means that they do not
	// matter.
	ready func(a *App, t *Task) bool
}

// deriveApp returns the services of one app, sorted by port index.
func deriveApp(s *selection, e env) ([]discovery.Service, []discovery.Problem) {
	problems := portProblems(s.app, s.ports, s.owner)
	for _, a := range s.apps {
		problems = append(problems, labelProblems(a, s.portCount(a))...)
	}
	endpoints, p := taskEndpoints(s, e)
	problems = append(problems, p...)
	services := make([]discovery.Service, 0, len(s.drafts))
	for i := range s.drafts {
		service, ok, p := finish(s, &s.drafts[i], e)
		problems = append(problems, p...)
		if ok {
			service.Endpoints = endpoints[service.PortIndex]
			services = append(services, service)
		}
	}
	return services, problems
}

// finish makes a service from its labels, and reports whether it can be had.
func finish(s *selection, d *draft, e env) (discovery.Service, bool, []discovery.Problem) {
	var problems []discovery.Problem
	for _, r := range d.rejections {
		consequence := leftOut
		if r.ignored {
			consequence = "; the label is ignored"
		}
		problems = append(problems, discovery.Problem{
			App: s.app.ID, PortIndex: d.index, Label: r.label.key(), Value: excerpt(r.label.value),
			Reason: reasonLabel, Detail: r.err.Error() + consequence,
		})
	}
	ok := !slices.ContainsFunc(d.rejections, func(r rejection) bool { return !r.ignored })
	lose := func(p discovery.Problem) {
		p.App, p.PortIndex, p.Detail = s.app.ID, d.index, p.Detail+leftOut
		problems, ok = append(problems, p), false
	}

	check, borrowed, err := serviceCheck(s.app, d)
	if err != nil {
		lose(discovery.Problem{Reason: reasonCheck, Detail: err.Error()})
	}
	service := discovery.Service{
		App: s.id, PortIndex: d.index, ServicePort: s.ports[d.index].Port, PortName: s.ports[d.index].Name,
		BindAddress: d.bind, Mode: serviceMode(check, borrowed, d.mode, d.hosts), Balance: d.balance,
		Hosts: d.hosts, Path: d.path, Weight: d.weight, Sticky: d.sticky,
		RedirectToHTTPS: d.redirect, HealthCheck: check, Overrides: d.overrides,
		BindOptions: d.bindOptions, Certificate: d.certificate, HSTS: d.hsts, Auth: d.auth,
		AllowedNetworks: d.networks, ProxyPassPath: d.proxyPass, ReverseProxyPath: d.reverseProxy,
		RootRedirect: d.rootRedirect, CheckPortFrom: d.checkIndexGiven && check.Exists(),
	}
	if d.portGiven {
		service.ServicePort, service.PortName = d.port, ""
	}
	if service.Balance == "" {
		service.Balance = "roundrobin"
	}
	if service.Path != "" && service.Weight == 0 {
		service.Weight = 1 // K6
	}
	if name := d.bindName(); name != "" {
		addr, found := e.addresses[name]
		if !found {
			lose(discovery.Problem{
				Label: portLabel{index: d.index, name: "BIND_ADDR"}.key(), Value: name,
				Reason: reasonBind, Detail: "the name has no address",
			})
		}
		service.BindAddress = addr.String()
	}
	if ok && service.Mode == discovery.ModeTCP && len(service.Hosts) > 0 {
		lose(discovery.Problem{
			Label: portLabel{index: d.index, name: "VHOST"}.key(), Value: excerpt(strings.Join(service.Hosts, ",")),
			Reason: reasonModeHost, Detail: "HAProxy cannot route a virtual host to a service in mode tcp",
		})
	}
	return service, ok, problems
}

// serviceMode returns how a service is handled (contract 4.4, K8): a borrowed check
// about HTTP beats the label, which beats an own check of protocol HTTP; a service
// with a virtual host and none of these is http.
func serviceMode(check discovery.HealthCheck, borrowed bool, label discovery.Mode, hosts []string) discovery.Mode {
	switch {
	case borrowed && slices.Contains([]string{"HTTP", "HTTPS", "MESOS_HTTP", "MESOS_HTTPS"}, check.Protocol):
		return discovery.ModeHTTP
	case label != "":
		return label
	case !borrowed && check.Protocol == "HTTP" || len(hosts) > 0:
		return discovery.ModeHTTP
	}
	return discovery.ModeTCP
}

// taskEndpoints returns where an app's tasks are reached, by the port index of
// the service: task port k serves the service that owns place k (contract 2.7).
func taskEndpoints(s *selection, e env) (map[int][]discovery.Endpoint, []discovery.Problem) {
	endpoints := make(map[int][]discovery.Endpoint, len(s.drafts))
	var problems []discovery.Problem
	report := func(a *App, reason, value, detail string) {
		problems = append(problems, discovery.Problem{
			App: a.ID, PortIndex: -1, Value: excerpt(value), Reason: reason, Detail: detail,
		})
	}
	probed := probedIndexes(s)
	pods := podTasks{s, e, probed, report, map[*App]podAsked{}}
	for _, m := range s.tasks {
		t := m.task
		if idle(t.State) || e.alive != nil && hasHealthChecks(m.app) && !m.app.isPod() && !e.alive(t.ID) {
			continue
		}
		if e.ready != nil && !e.ready(m.app, t) {
			continue
		}
		if !hostName(t.Host) || plain(t.ID) != nil {
			report(m.app, reasonTask, t.ID, fmt.Sprintf("the task has no usable ID and host (%q); it is skipped", excerpt(t.Host)))
			continue
		}
		if m.app.isPod() {
			pods.add(m, endpoints)
			continue
		}
		mode := networkMode(m.app)
		addr, reason := taskAddress(mode, t, e.addresses)
		switch reason {
		case "":
		case reasonUnresolved:
			report(m.app, reason, t.Host, "the tasks on this agent are skipped")
			continue
		default:
			report(m.app, reason, t.ID, "the task has no literal address as its first one; it is skipped")
			continue
		}
		ports := taskPorts(m.app, mode, t)
		for k, port := range ports {
			if k >= len(s.ports) {
				break
			}
			owner := s.owner[k]
			if owner < 0 {
				continue
			}
			if !isPort(port) {
				report(m.app, reasonTaskPort, t.ID, fmt.Sprintf("port %d at index %d is no port; it is skipped", port, k))
				continue
			}
			endpoint := discovery.Endpoint{Task: t.ID, Agent: t.Host, Address: addr, Port: port, State: discovery.Ready}
			if m.draining {
				endpoint.State = discovery.Draining
			}
			if i, ok := probed[owner]; ok && i >= 0 && i < len(ports) && isPort(ports[i]) {
				endpoint.CheckPort = ports[i]
			}
			if endpoints[owner] == nil {
				endpoints[owner] = make([]discovery.Endpoint, 0, len(s.tasks))
			}
			endpoints[owner] = append(endpoints[owner], endpoint)
		}
	}
	return endpoints, problems
}

// probedIndexes returns, for each service that asks for it, the index of the task
// port that is probed instead of its own (D27).
func probedIndexes(s *selection) map[int]int {
	probed := map[int]int{}
	for _, d := range s.drafts {
		if d.checkIndexGiven {
			probed[d.index] = d.checkIndex
		}
	}
	return probed
}

func isPort(n int) bool { return n >= 1 && n <= maxPort }
