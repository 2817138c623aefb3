package marathonsim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// podResource answers /v2/pods and what is below or behind its two colons; path is what
// follows /v2/pods.
func (c *Cluster) podResource(q *request, path string) (answer, error) {
	if path == "" {
		switch q.Method {
		case http.MethodHead:
			return answer{status: http.StatusOK}, nil
		case http.MethodGet:
			return c.eachPod(q.who, func(a *appState) any { return a.def.showPod(c.features) }), nil
		case http.MethodPost:
			return c.postPod(q)
		}
		return answer{}, q.wrongMethod()
	}
	if path == "::status" {
		return q.only(http.MethodGet, func() (answer, error) {
			now := time.Now()
			return c.eachPod(q.who, func(a *appState) any { return c.showPodStatus(a, now) }), nil
		})
	}
	if id, ok := strings.CutSuffix(path, "::status"); ok {
		return q.only(http.MethodGet, func() (answer, error) {
			return c.onePod(q.who, id, func(a *appState) (any, error) { return c.showPodStatus(a, time.Now()), nil })
		})
	}
	if id, ok := strings.CutSuffix(path, "::versions"); ok {
		return q.only(http.MethodGet, func() (answer, error) {
			return c.onePod(q.who, id, func(a *appState) (any, error) { return a.versionNames(), nil })
		})
	}
	if id, version, ok := strings.Cut(path, "::versions/"); ok {
		return q.only(http.MethodGet, func() (answer, error) {
			return c.onePod(q.who, id, func(a *appState) (any, error) {
				if def := a.versions[version]; def != nil {
					return def.showPod(c.features), nil
				}
				return nil, noPod(id)
			})
		})
	}
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		return c.onePod(q.who, path, func(a *appState) (any, error) { return a.def.showPod(c.features), nil })
	case http.MethodPut:
		return c.putPod(q, path)
	case http.MethodDelete:
		return c.deletePod(q, path)
	}
	return answer{}, q.wrongMethod()
}

func noPod(id string) error {
	return problem(http.StatusNotFound, "Pod '%s' does not exist", id)
}

// eachPod answers with a list of what is to be shown of each pod that may be seen.
func (c *Cluster) eachPod(who Identity, show func(*appState) any) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := []any{}
	for _, a := range c.order {
		if a.def.Pod != nil && who.sees(a.id) {
			list = append(list, show(a))
		}
	}
	return ok(encode(list))
}

func (c *Cluster) onePod(who Identity, id string, show func(*appState) (any, error)) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.pod(id)
	if a == nil {
		return answer{}, noPod(id)
	}
	if !who.sees(id) {
		return answer{}, forbidden()
	}
	shown, err := show(a)
	if err != nil {
		return answer{}, err
	}
	return ok(encode(shown)), nil
}

func (c *Cluster) postPod(q *request) (answer, error) {
	return c.storePod(q, "", http.StatusCreated, "pod_created_event")
}

// putPod replaces a pod as a whole.
func (c *Cluster) putPod(q *request, id string) (answer, error) {
	return c.storePod(q, id, http.StatusOK, "pod_updated_event")
}

// storePod creates a pod, or replaces the one of the ID.
func (c *Cluster) storePod(q *request, id string, status int, event string) (answer, error) {
	body, err := q.readBody()
	if err != nil {
		return answer{}, err
	}
	in, err := parseFields(body)
	if err != nil {
		return answer{}, problem(http.StatusBadRequest, "%s", err)
	}
	named, err := c.newAppID(in)
	if err != nil {
		return answer{}, err
	}
	var def *definition
	d, err := c.apply(func() (*changeSet, error) {
		switch {
		case id == "" && c.apps[named] != nil:
			return nil, problem(http.StatusConflict, "Pod \"%s\" already exists", named)
		case id != "" && id != named:
			return nil, invalid("/id", "must be that of the path")
		case id != "" && c.pod(id) == nil:
			return nil, noPod(id)
		}
		fresh, podErr := newPod(named, in, c.features)
		if podErr != nil {
			return nil, podErr
		}
		def = fresh
		return &changeSet{set: []*definition{def}, reported: parentID(named), force: q.force}, nil
	}, c.podEvent(q, event))
	if err != nil {
		return answer{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return answer{status: status, body: encode(def.showPod(c.features)), header: http.Header{
		"Location": {q.master.url() + "/v2/pods" + named}, "Marathon-Deployment-Id": {d.id},
	}}, nil
}

func (c *Cluster) deletePod(q *request, id string) (answer, error) {
	d, err := c.apply(func() (*changeSet, error) {
		if c.pod(id) == nil {
			return nil, noPod(id)
		}
		return &changeSet{remove: []string{id}, reported: parentID(id), force: q.force}, nil
	}, c.podEvent(q, "pod_deleted_event"))
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusAccepted, header: http.Header{"Marathon-Deployment-Id": {d.id}}}, nil
}

// podEvent publishes an event about a pod, which does not name it.
func (c *Cluster) podEvent(q *request, kind string) func(*deployment) {
	return func(*deployment) {
		c.publish(kind, member{"clientIp", remoteHost(q.Request)}, member{"uri", q.URL.Path})
	}
}

// showPods returns the pods of a group. c.mu is held.
func (c *Cluster) showPods(pods []*appState) json.RawMessage {
	list := []podJSON{}
	for _, a := range pods {
		list = append(list, a.def.showPod(c.features))
	}
	return encode(list)
}
