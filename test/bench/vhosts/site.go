package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/certs"
	"mlb/haproxy/process"
	"mlb/haproxy/render"
	"mlb/haproxy/runtime"
	"mlb/templates"
)

const (
	// taskPort is the port of all tasks: what is measured is HAProxy's way to a
	// backend, not the system's way to thousands of listeners.
	taskPort = 20000
	// firstService is the service port of the first host; the others follow.
	firstService = 30000
	// maxHosts is how many ports there are from there on.
	maxHosts = 65536 - firstService
	// backendHeader tells a client by which backend its request went.
	backendHeader = "x-backend"
	// stateFile is where HAProxy looks for the states of servers.
	stateFile = "servers"
	// httpPort is where each site serves virtual hosts.
	httpPort = "8080"
)

// site is a HAProxy that serves virtual hosts.
type site struct {
	// routing is how hosts are found: "maps" or "rules".
	routing string
	// hosts are shared out among apps.
	hosts, apps int
	// addr is where it serves them.
	addr string
	// pids returns HAProxy's processes.
	pids func() []int
}

// start starts the tasks and a site for each size and way of routing. The function
// that it returns ends all of them; it is there after an error, too.
func start(ctx context.Context, o options, progress io.Writer) ([]site, func() error, error) {
	var stops []func() error
	stop := func() error {
		var errs []error
		for _, s := range stops {
			errs = append(errs, s())
		}
		return errors.Join(errs...)
	}
	dir, err := os.MkdirTemp("", "mlb-vhosts")
	if err != nil {
		return nil, stop, err
	}
	defer func() { stops = append(stops, func() error { return os.RemoveAll(dir) }) }()
	begin := func(name, config string, files []haproxy.File) (func() []int, error) {
		if _, err := fmt.Fprintln(progress, "starting", name); err != nil {
			return nil, err
		}
		pids, s, err := serve(ctx, o.haproxy, filepath.Join(dir, name), config, files)
		stops = append(stops, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return pids, nil
	}
	if _, err := begin("tasks", tasks(), nil); err != nil {
		return nil, stop, err
	}
	sites := o.sites()
	for i := range sites {
		s := &sites[i]
		name := fmt.Sprintf("%s-%d-%d", s.routing, s.hosts, s.apps)
		host := loopback(1 + i)
		text, err := configuration(filepath.Join(dir, name), host, *s)
		if err != nil {
			return nil, stop, fmt.Errorf("%s: %w", name, err)
		}
		if s.pids, err = begin(name, text.Config.Text(), text.Config.Files); err != nil {
			return nil, stop, err
		}
		s.addr = host + ":" + httpPort
	}
	return sites, stop, nil
}

// apps is among how many apps hosts are shared out: as many for each size, so that
// what grows is the number of hosts alone.
func (o options) apps(hosts int) int { return min(hosts, 10) }

// sites are those that are measured: all sizes, the largest with an app for each
// host, and that as rules: of few apps even those would be few.
func (o options) sites() []site {
	var all []site
	for _, n := range o.sizes {
		all = append(all, site{routing: "maps", hosts: n, apps: o.apps(n)})
	}
	if most := o.sizes[len(o.sizes)-1]; most > o.apps(most) {
		all = append(all, site{routing: "maps", hosts: most, apps: most})
	}
	for _, n := range o.sizes {
		if o.rules {
			all = append(all, site{routing: "rules", hosts: n, apps: n})
		}
	}
	return all
}

// loopback returns addresses that belong to this process alone, the tasks' being 0.
func loopback(n int) string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&63, pid&255, 1+n)
}

// tasks is the configuration of the HAProxy that plays all tasks.
func tasks() string {
	return fmt.Sprintf(`global
  nbthread 1
defaults
  mode http
  timeout client 1m
  timeout server 1m
  timeout connect 1m
frontend tasks
  bind %s:%d
  http-request return status 200 content-type text/plain string hello
`, loopback(0), taskPort)
}

// path is what the requests for a virtual host begin with: every second app has a
// path in its label.
func path(app int) string {
	if app%2 == 0 {
		return ""
	}
	return "/shop"
}

func appID(app int) string { return fmt.Sprintf("/shops/shop%d", app) }

func hostName(host int) string { return string(appendHost(nil, host)) }

func appendHost(b []byte, host int) []byte { return fmt.Appendf(b, "www.shop%d.example.com", host) }

// appendBackend appends what haproxy.BackendName calls the backend of an app.
func appendBackend(b []byte, app int) []byte {
	return fmt.Appendf(b, "shops_shop%d_%d", app, firstService+app)
}

// services are the apps of a site, without health checks, which would compete with
// the requests. Host n belongs to app n modulo the number of apps.
func services(s site) []discovery.Service {
	out := make([]discovery.Service, s.apps)
	for i := range out {
		var hosts []string
		for h := i; h < s.hosts; h += s.apps {
			hosts = append(hosts, hostName(h))
		}
		out[i] = discovery.Service{
			App: appID(i), ServicePort: firstService + i, Mode: discovery.ModeHTTP, Balance: "roundrobin",
			Hosts: hosts, Path: path(i),
			Endpoints: []discovery.Endpoint{{
				Task: "t", Agent: loopback(0), Address: netip.MustParseAddr(loopback(0)), Port: taskPort, State: discovery.Ready,
			}},
		}
	}
	return out
}

// configuration renders a site as mlb does. As rules it has the default texts with an
// empty line more, which stand for a user's own: those stay rules.
func configuration(dir, host string, s site) (render.Text, error) {
	head, err := templates.Default("HTTP_FRONTEND_HEAD")
	if err != nil {
		return render.Text{}, err
	}
	// One rule for all: a rule in each backend would be measured, too.
	bind := host + ":" + httpPort
	overrides := render.Overrides{"HTTP_FRONTEND_HEAD": strings.ReplaceAll(head.Text, "{httpBind}", bind) +
		"  http-response set-header " + backendHeader + " %[be_name]\n"}
	if s.routing == "rules" {
		for _, name := range []string{"HTTP_FRONTEND_ACL", "HTTP_FRONTEND_ACL_WITH_PATH", "HTTPS_FRONTEND_ACL", "HTTPS_FRONTEND_ACL_WITH_PATH"} {
			var t templates.Template
			if t, err = templates.Default(name); err != nil {
				return render.Text{}, err
			}
			overrides[name] = t.Text + "\n"
		}
	}
	r, err := render.New(render.Frame{
		HTTPBind: bind, HTTPSBind: host + ":8443", AppIDBind: host + ":9091", StatsBind: host + ":9090",
		Certificates: []string{filepath.Join(dir, "cert.pem")}, MaxConn: 2000,
		StatsSocket: filepath.Join(dir, "stats.sock"), AdminSocket: filepath.Join(dir, "mlb.sock"),
		DefaultOptions: []string{"dontlognull", "http-server-close", "redispatch"}, MapDir: dir,
		ServerStateFile: filepath.Join(dir, stateFile),
	}, overrides)
	if err != nil {
		return render.Text{}, err
	}
	proxies, losers := haproxy.Claim(services(s), haproxy.Claims{DefaultAddress: host})
	text := r.Render(proxies)
	if problems := slices.Concat(losers, text.Problems); len(problems) > 0 {
		return render.Text{}, fmt.Errorf("%d problems, the first of %s: %s", len(problems), problems[0].App, problems[0].Detail)
	}
	return text, nil
}

// serve starts a HAProxy in a new folder. The functions that it returns tell its
// processes, and end it.
func serve(ctx context.Context, program, dir, config string, files []haproxy.File) (func() []int, func() error, error) {
	none := func() error { return nil }
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, none, err
	}
	if _, err := certs.EnsureSelfSigned(filepath.Join(dir, "cert.pem")); err != nil {
		return nil, none, err
	}
	for _, f := range slices.Concat(files, []haproxy.File{{Name: "haproxy.cfg", Text: config}, {Name: stateFile, Text: runtime.EmptyStateFile}}) {
		if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600); err != nil {
			return nil, none, err
		}
	}
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, none, err
	}
	p := process.New(process.Config{
		Binary: program, ConfigFile: filepath.Join(dir, "haproxy.cfg"), MasterSocket: filepath.Join(dir, "master.sock"),
		StateDir: dir, Stdout: out,
	}, zap.NewNop())
	stop := func() error {
		return errors.Join(p.Stop(context.WithoutCancel(ctx), 0), p.Close(), out.Close())
	}
	return p.PIDs, stop, p.Start(ctx)
}

// tick is the unit in which Linux counts processor time.
const tick = 10 * time.Millisecond

// cpuTime is the processor time that the processes have used so far.
func cpuTime(pids []int) (time.Duration, error) {
	total := 0
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		const user, system = 11, 12 // from the third field of proc(5) on
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) <= system {
			return 0, fmt.Errorf("process %d: %d fields", pid, len(fields))
		}
		for _, f := range []string{fields[user], fields[system]} {
			n, err := strconv.Atoi(f)
			if err != nil {
				return 0, fmt.Errorf("process %d: %w", pid, err)
			}
			total += n
		}
	}
	return time.Duration(total) * tick, nil
}

// version returns what HAProxy calls itself.
func version(program string) string {
	out, err := exec.Command(program, "-v").Output() //nolint:noctx // it ends by itself
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	words := strings.Fields(line)
	return words[min(2, len(words)-1)]
}
