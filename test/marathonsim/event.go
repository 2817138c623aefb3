package marathonsim

import (
	"bytes"
	"encoding/json"
	"time"
)

// timeFormat is how Marathon writes times: UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

func formatTime(t time.Time) string {
	return t.UTC().Format(timeFormat)
}

// member is one member of an event; the order is kept.
type member struct {
	name  string
	value any
}

// event is one event, made once for all streams.
type event struct {
	kind     string
	document []byte // the JSON alone
	frame    []byte // as it goes over the wire
	light    []byte // without plan.original and plan.target; nil: the same
}

// newEvent makes an event of the members and those that every event has.
func newEvent(kind string, at time.Time, members ...member) event {
	members = append(members, member{"eventType", kind}, member{"timestamp", formatTime(at)})
	document := object(members)
	return event{kind: kind, document: document, frame: frame(kind, document)}
}

// object writes a JSON object with its members in order.
func object(members []member) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(m.name))
		b.WriteByte(':')
		b.Write(encode(m.value))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// frame is the event as Jetty writes it, Marathon facts 2.
func frame(kind string, data []byte) []byte {
	return []byte("event: " + kind + "\r\ndata: " + string(data) + "\r\n\r\n")
}

// publish hands an event to all streams of the leader. c.mu is held.
func (c *Cluster) publish(kind string, members ...member) {
	if c.leader < 0 || len(c.streams) == 0 {
		return
	}
	c.send(newEvent(kind, time.Now(), members...))
}

func (c *Cluster) send(e event) {
	if c.options.Observer != nil {
		c.options.Observer(e.kind, e.document)
	}
	for s := range c.streams {
		s.offer(e)
	}
}

// publishDeployment publishes one of the deployment events, with whole groups
// for streams that did not ask for light plans. c.mu is held.
func (c *Cluster) publishDeployment(kind string, d *deployment, members ...member) {
	if c.leader < 0 || len(c.streams) == 0 {
		return
	}
	now := time.Now()
	light := append([]member{{"plan", d.plan(c.features, nil, nil)}}, members...)
	if kind == "deployment_success" || kind == "deployment_failed" {
		light = append([]member{{"id", d.id}}, light...)
	}
	e := newEvent(kind, now, light...)
	if d.original != nil {
		heavy := append([]member{{"plan", d.plan(c.features, d.original, d.target)}}, members...)
		if kind == "deployment_success" || kind == "deployment_failed" {
			heavy = append([]member{{"id", d.id}}, heavy...)
		}
		e.light = e.frame
		e.frame = newEvent(kind, now, heavy...).frame
	}
	c.send(e)
}

// planJSON is a plan as events show it.
type planJSON struct {
	ID       string          `json:"id"`
	Original json.RawMessage `json:"original,omitempty"`
	Target   json.RawMessage `json:"target,omitempty"`
	Steps    []stepJSON      `json:"steps"`
	Version  string          `json:"version"`
}

type stepJSON struct {
	Actions []actionJSON `json:"actions"`
}

type actionJSON struct {
	Action    string             `json:"action,omitempty"`
	Type      string             `json:"type,omitempty"` // in old generations, instead of action
	App       string             `json:"app,omitempty"`
	Pod       string             `json:"pod,omitempty"`
	Readiness []*readinessResult `json:"readinessCheckResults,omitzero"`
}
