package marathonsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxBody bounds a posted document in bytes.
const maxBody = 256 << 20

// request is a request for a resource of the leader.
type request struct {
	*http.Request
	master *master
	who    Identity
	path   string // squeezed
	force  bool
}

// resource answers a request on the leader.
func (c *Cluster) resource(m *master, r *http.Request, who Identity) answer {
	q := &request{Request: r, master: m, who: who, path: squeeze(r.URL.Path), force: r.URL.Query().Get("force") == "true"}
	a, err := c.route(q)
	if err == nil {
		return a
	}
	var known *apiError
	if !errors.As(err, &known) {
		known = problem(http.StatusInternalServerError, "%s", err.Error())
	}
	if known.body == nil {
		return answer{status: known.status, html: known.reason}
	}
	return answer{status: known.status, body: encode(known.body)}
}

// route finds the resource for a path.
func (c *Cluster) route(q *request) (answer, error) {
	id, below := strings.CutPrefix(q.path, "/v2/apps")
	switch {
	case q.path == "/ping":
		return q.only(http.MethodGet, func() (answer, error) {
			return answer{status: http.StatusOK, contentType: "text/plain;charset=utf-8", body: []byte("pong")}, nil
		})
	case q.path == "/v2/info":
		return q.only(http.MethodGet, func() (answer, error) { return c.info(q.master), nil })
	case q.path == "/v2/leader":
		return c.leaderResource(q)
	case q.path == "/v2/tasks":
		return q.only(http.MethodGet, func() (answer, error) { return c.listTasks(q) })
	case q.path == "/v2/tasks/delete":
		return q.only(http.MethodPost, func() (answer, error) { return c.deleteTasks(q) })
	case q.path == "/v2/deployments" || strings.HasPrefix(q.path, "/v2/deployments/"):
		return c.deploymentResource(q, strings.TrimPrefix(q.path, "/v2/deployments"))
	case q.path == "/v2/groups" || strings.HasPrefix(q.path, "/v2/groups/"):
		return c.groupResource(q, strings.TrimPrefix(q.path, "/v2/groups"))
	case c.features.pods() && (q.path == "/v2/pods" || strings.HasPrefix(q.path, "/v2/pods/") || strings.HasPrefix(q.path, "/v2/pods::")):
		return c.podResource(q, strings.TrimPrefix(q.path, "/v2/pods"))
	case q.path == "/v2/apps":
		return c.appsResource(q)
	case below && strings.HasPrefix(id, "/"):
		return c.appResource(q, id)
	}
	return answer{}, c.unknownRoute()
}

func (c *Cluster) unknownRoute() error {
	if c.features.unknownRouteAs500 {
		return problem(http.StatusInternalServerError, "URI not found")
	}
	return page(http.StatusNotFound, "Not Found")
}

// only answers requests of one method.
func (q *request) only(method string, serve func() (answer, error)) (answer, error) {
	if q.Method != method && (q.Method != http.MethodHead || method != http.MethodGet) {
		return answer{}, q.wrongMethod()
	}
	return serve()
}

func (q *request) wrongMethod() error {
	return page(http.StatusMethodNotAllowed, "HTTP method "+q.Method+" is not supported by this URL")
}

// body reads the posted document.
func (q *request) readBody() ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(q.Body, maxBody))
	if err != nil {
		return nil, problem(http.StatusBadRequest, "read the body: %s", err)
	}
	if !json.Valid(b) {
		return nil, problem(http.StatusBadRequest, "Invalid JSON")
	}
	return b, nil
}

func ok(body []byte) answer {
	return answer{status: http.StatusOK, body: body}
}

// result is the answer to a change that became a deployment.
type result struct {
	Version      string `json:"version"`
	DeploymentID string `json:"deploymentId"`
}

func deployed(status int, d *deployment) answer {
	return answer{
		status: status, body: encode(result{d.version, d.id}),
		header: http.Header{"Marathon-Deployment-Id": {d.id}},
	}
}

// info answers /v2/info, which the leader always does: elected is true.
func (c *Cluster) info(m *master) answer {
	host, port, _ := strings.Cut(m.listen, ":")
	config := []member{
		{"ha", true},
		{"hostname", host},
		{"local_port_min", c.options.ServicePortMin},
		{"local_port_max", c.options.ServicePortMax},
		{"leader_proxy_connection_timeout_ms", 5000},
		{"leader_proxy_read_timeout_ms", c.options.ProxyTimeout.Milliseconds()},
		{"master", "zk://zk-1.example.com:2181/mesos"},
		{"framework_name", "marathon"},
	}
	zookeeper := []member{{"zk", "zk://zk-1.example.com:2181/marathon"}, {"zk_timeout", 10000}, {"zk_session_timeout", 10000}}
	ports := []member{{"http_port", json.Number(port)}, {"https_port", 8443}}
	return ok(object([]member{
		{"name", "marathon"},
		{"version", c.features.version},
		{"elected", true},
		{"leader", m.listen},
		{"frameworkId", frameworkID},
		{"marathon_config", json.RawMessage(object(config))},
		{"zookeeper_config", json.RawMessage(object(zookeeper))},
		{"http_config", json.RawMessage(object(ports))},
	}))
}

func (c *Cluster) leaderResource(q *request) (answer, error) {
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		return ok(object([]member{{"leader", q.master.listen}})), nil
	case http.MethodDelete:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.goroutine(func() {
			if c.sleep(c.options.scaled(0.5)) { // Marathon answers first and abdicates half a second later
				_ = c.changeLeader(q.master.index) // the master is being closed anyway
			}
		})
		return ok(encode(messageJSON{"Leadership abdicated"})), nil
	}
	return answer{}, q.wrongMethod()
}

// deploymentResource answers /v2/deployments and the end of one.
func (c *Cluster) deploymentResource(q *request, id string) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == "" {
		return q.only(http.MethodGet, func() (answer, error) { return ok(c.showDeployments(q.who)), nil })
	}
	return q.only(http.MethodDelete, func() (answer, error) {
		for _, d := range c.deployments {
			if "/"+d.id != id {
				continue
			}
			if !q.force {
				return answer{}, problem(http.StatusNotImplemented, "only ?force=true is simulated; it stops the deployment and leaves the rest as it is")
			}
			c.cancelDeployment(d)
			return answer{status: http.StatusAccepted}, nil
		}
		return answer{}, problem(http.StatusNotFound, "deployment %s does not exist", strings.TrimPrefix(id, "/"))
	})
}

type deploymentJSON struct {
	ID           string       `json:"id"`
	Version      string       `json:"version"`
	AffectedApps []string     `json:"affectedApps"`
	AffectedPods []string     `json:"affectedPods,omitzero"`
	Steps        []any        `json:"steps"`
	Current      []actionJSON `json:"currentActions"`
	CurrentStep  int          `json:"currentStep"`
	TotalSteps   int          `json:"totalSteps"`
}

// showDeployments writes the running deployments that touch an app that is shown.
// c.mu is held.
func (c *Cluster) showDeployments(who Identity) []byte {
	out := []deploymentJSON{}
	f := c.features
	f.actionType = false // that is in events only
	for _, d := range c.deployments {
		if !slices.ContainsFunc(d.apps, func(a *appState) bool { return who.sees(a.id) }) {
			continue
		}
		j := deploymentJSON{
			ID: d.id, Version: d.version, Current: d.steps[d.step].show(f).Actions,
			CurrentStep: d.step + 1, TotalSteps: len(d.steps),
		}
		for _, a := range d.apps {
			if def := cmp.Or(a.def, a.launch); def != nil && def.Pod != nil {
				j.AffectedPods = append(j.AffectedPods, a.id)
				continue
			}
			j.AffectedApps = append(j.AffectedApps, a.id)
		}
		if f.instances {
			j.AffectedPods = []string{}
		}
		for _, s := range d.steps {
			if f.plainSteps {
				j.Steps = append(j.Steps, s.show(f).Actions)
			} else {
				j.Steps = append(j.Steps, s.show(f))
			}
		}
		for i, a := range d.steps[d.step] {
			if f.readiness {
				j.Current[i].Readiness = a.app.readinessResults()
			}
		}
		out = append(out, j)
	}
	return encode(out)
}

// published publishes api_post_event, which only single apps get. c.mu is held.
func (c *Cluster) published(q *request, def *definition) {
	c.publish("api_post_event", member{"clientIp", remoteHost(q.Request)}, member{"uri", q.URL.Path},
		member{"appDefinition", json.RawMessage(def.show(c.features))})
}

// noApp is the answer for an app that is not there.
func noApp(id string) error {
	return problem(http.StatusNotFound, "App '%s' does not exist", id)
}

// notAcceptable reports whether the request takes neither JSON nor everything.
func notAcceptable(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return accept != "" && !strings.Contains(accept, "json") && !strings.Contains(accept, "*/*") && !strings.Contains(accept, "application/*")
}
