package contract_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mlb/test/balancer"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/marathonsim/simtest"
)

// behaviour is one rule of the contract and how it is shown.
type behaviour struct {
	// name states the rule.
	name string
	// covers are the entries of the contract that are shown.
	covers []string
	// apps are deployed to the stage before anything is shown; their ids, ports and
	// hosts are those of this behaviour alone.
	apps []app
	// show sends requests and fails the test if the rule does not hold. It runs
	// beside the other behaviours of its stage and leaves mlb as it is.
	show func(t *testing.T, s scene)
}

// stage is one balancer with the apps of its behaviours.
type stage struct {
	name string
	// args and env are the balancer's; groups replaces the group "external".
	args, env, groups []string
	// marathon is what is simulated; the zero value will do.
	marathon marathonsim.Options
	// prepare makes what has to be there before mlb starts.
	prepare func(t *testing.T, s scene)
	// idle leaves the start of mlb to the behaviours.
	idle       bool
	behaviours []behaviour
}

// folder stands for the balancer's folder in the labels of apps.
const folder = "@FOLDER@"

// scene is what a behaviour looks at.
type scene struct {
	*balancer.Balancer
	cluster *marathonsim.Cluster
}

// stages returns all of them. Those of one topic are made in one file.
func stages() []stage {
	return slices.Concat(
		[]stage{labelStage(), endpointStage(), adminStage(), orderStage(), pollStage(), programStage()},
		flagStages(), environmentStages(), templateStages(), replacedStages(), []stage{mapLabelStage()},
	)
}

func TestBehaviours(t *testing.T) {
	t.Parallel()
	for _, st := range stages() {
		t.Run(st.name, func(t *testing.T) {
			t.Parallel()
			s := st.open(t)
			for _, b := range st.behaviours {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					b.show(t, s)
				})
			}
		})
	}
}

// open starts the stage: the cluster with all apps running, and mlb.
func (st stage) open(t *testing.T) scene {
	t.Helper()
	o := st.marathon
	o.Speed = cmp.Or(o.Speed, 20)
	if o.Launcher == nil {
		o.Launcher = launcher.InProcess{StopDelay: 300 * time.Millisecond}
	}
	c := simtest.Start(t, o)
	s := scene{balancer.New(t, "stage", c.Masters()), c}
	s.Args, s.Env = st.args, st.env
	if st.groups != nil {
		s.Groups = st.groups
	}
	if st.prepare != nil {
		st.prepare(t, s)
	}
	for _, b := range st.behaviours {
		for _, a := range b.apps {
			simtest.Deploy(t, c, strings.ReplaceAll(a.document(t), folder, s.Dir))
		}
	}
	for _, b := range st.behaviours {
		for _, a := range b.apps {
			simtest.Running(t, c, a.id, a.count())
		}
	}
	if !st.idle {
		s.Start(t)
		s.WaitReady(t)
	}
	return s
}

// app is an app of one behaviour, in the group "external" unless the labels say
// otherwise.
type app struct {
	id        string
	ports     []int
	instances int // 0 means 1
	labels    map[string]string
	// more are further members of the definition.
	more map[string]any
}

func (a app) count() int { return cmp.Or(a.instances, 1) }

// document returns the definition as Marathon takes it.
func (a app) document(t *testing.T) string {
	t.Helper()
	labels := map[string]string{"HAPROXY_GROUP": "external"}
	maps.Copy(labels, a.labels)
	ports := []any{}
	for _, p := range a.ports {
		ports = append(ports, map[string]any{"port": p, "protocol": "tcp"})
	}
	d := map[string]any{
		"id": a.id, "cmd": "serve", "instances": a.count(), "cpus": 0.1, "mem": 32, "labels": labels, "portDefinitions": ports,
	}
	maps.Copy(d, a.more)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
