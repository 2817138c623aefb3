package stage

import (
	"encoding/json"
	"fmt"
	"os"
)

const (
	// TasksPerApp is how many tasks an app has that is not one of the small ones.
	TasksPerApp = 10
	// changing is how many apps with ten tasks change, small how many with one task
	// are restarted.
	changing, small = 6, 2
	// LeastApps is the least size: there are apps that change.
	LeastApps = changing + small
	// MostApps is the greatest size: there are service ports for no more.
	MostApps = 10000
	// FirstService is the service port of the first app; the others follow.
	FirstService = 10000
	// maxConn is HAProxy's limit of connections. It is less than mlb's own, because
	// at 10,000 apps the files that may be open are needed for service ports.
	maxConn = 1000
	// ownFiles is what HAProxy needs for itself, with some for tasks that come.
	ownFiles = 400
)

// Site is what a Marathon runs: apps, and where their tasks are.
type Site struct {
	// Apps is how many there are, and Checked how many have a health check. Those
	// that change are among them as long as any are.
	Apps, Checked int
	// TaskPort is the port of all tasks, each of which has an address of its own.
	TaskPort int
	// StickHeader is the header by whose value clients stay with a task of the apps
	// that change. Empty: they do not stay.
	StickHeader string
}

// NewSite returns a site with checks on as many apps as the number of files carries
// that HAProxy may open: two for each connection, one for each service port and one
// for each server with a check.
func NewSite(apps, taskPort int, files uint64) Site {
	left := int(min(files, 1<<30)) - 2*maxConn - ownFiles - apps
	return Site{Apps: apps, Checked: max(0, min(apps, left/TasksPerApp)), TaskPort: taskPort}
}

// FreePort is a port that the system gives nobody, and for each process another one.
func FreePort() int { return 20000 + os.Getpid()%10000 }

// isSmall says whether an app has one task; the first ones are.
func (s Site) isSmall(app int) bool { return app < small }

// Tasks returns how many tasks all apps have.
func (s Site) Tasks() int { return s.Apps*TasksPerApp - small*(TasksPerApp-1) }

// Subjects returns the apps that change: with ten tasks, and with one.
func (s Site) Subjects() (large, one []int) {
	for i := range changing {
		large = append(large, small+i)
	}
	for i := range small {
		one = append(one, i)
	}
	return large, one
}

// AppID is the id of an app.
func AppID(app int) string { return fmt.Sprintf("/shops/shop%d", app) }

// VirtualHost is the virtual host of an app.
func VirtualHost(app int) string { return fmt.Sprintf("www.shop%d.example.com", app) }

// Document is what Marathon is given to run all apps.
func (s Site) Document() (string, error) {
	apps := make([]any, s.Apps)
	for i := range apps {
		// The prime is above all sizes, so each app gets a place; those that change are
		// spread over the list.
		apps[i*10007%s.Apps] = s.app(i)
	}
	text, err := json.Marshal(map[string]any{"id": "/shops", "apps": apps})
	return string(text), err
}

// app is one app: on the container network, with a service port and a virtual host.
func (s Site) app(i int) any {
	type fields map[string]any
	labels := fields{
		"HAPROXY_GROUP": "external", "HAPROXY_0_MODE": "http",
		"HAPROXY_0_VHOST": VirtualHost(i),
	}
	if i < changing+small && s.StickHeader != "" {
		labels["HAPROXY_0_BACKEND_HTTP_OPTIONS"] = fmt.Sprintf(`  stick-table type string size 1k expire 1m
  stick on req.hdr(%s)
`, s.StickHeader)
	}
	a := fields{
		"id": AppID(i), "cmd": "serve", "instances": TasksPerApp, "cpus": 0.1, "mem": 64,
		"networks": []fields{{"mode": "container", "name": "tasks"}},
		"container": fields{"type": "MESOS", "portMappings": []fields{
			{"containerPort": s.TaskPort, "servicePort": FirstService + i, "protocol": "tcp", "name": "http"},
		}},
		"labels": labels,
	}
	if s.isSmall(i) {
		a["instances"] = 1
	}
	if i < s.Checked {
		// The first verdict follows the start; later ones change nothing.
		a["healthChecks"] = []fields{{
			"protocol": "MESOS_HTTP", "path": "/", "portIndex": 0, "delaySeconds": 0.02,
			"intervalSeconds": 60, "timeoutSeconds": 20, "maxConsecutiveFailures": 3,
		}}
	}
	return a
}

// Loopback returns addresses that belong to this process alone.
func Loopback(n int) string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&63, pid&255, 1+n)
}
