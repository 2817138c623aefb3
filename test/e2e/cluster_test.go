package e2e_test

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/marathonsim/simtest"
)

// vhost is the virtual host of the tutorial's WordPress.
const vhost = "test-worldpress.example.com"

// stopDelay is how long a task goes on serving after it was told to end, as programs
// do. It is what mlb has to hear of it, also on a machine with much else to do; real
// tasks have several seconds.
const stopDelay = 2 * time.Second

// cluster starts three masters whose tasks are servers in this process.
func cluster(t *testing.T) *marathonsim.Cluster {
	t.Helper()
	return clusterOf(t, "")
}

// clusterOf is cluster in a generation of Marathon.
func clusterOf(t *testing.T, generation marathonsim.Generation) *marathonsim.Cluster {
	t.Helper()
	return simtest.Start(t, marathonsim.Options{
		Generation: generation, Masters: 3, Speed: 20, Launcher: launcher.InProcess{StopDelay: stopDelay},
	})
}

// app is an app with one service port, in the group "external" unless the labels
// say otherwise.
type app struct {
	id        string
	port      int
	instances int
	labels    map[string]string
}

func (a app) document(t *testing.T) string {
	t.Helper()
	labels := map[string]string{"HAPROXY_GROUP": "external"}
	maps.Copy(labels, a.labels)
	b, err := json.Marshal(map[string]any{
		"id": a.id, "cmd": "serve", "instances": a.instances, "cpus": 0.1, "mem": 32, "labels": labels,
		"portDefinitions": []any{map[string]any{"port": a.port, "protocol": "tcp"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// deploy deploys apps and waits until they run.
func deploy(t *testing.T, c *marathonsim.Cluster, apps ...app) {
	t.Helper()
	for _, a := range apps {
		simtest.Deploy(t, c, a.document(t))
	}
	for _, a := range apps {
		simtest.Running(t, c, a.id, a.instances)
	}
}

// scale changes the number of instances and waits until they run.
func scale(t *testing.T, c *marathonsim.Cluster, app string, n int) {
	t.Helper()
	must(t, c.Scale(app, n))
	simtest.Running(t, c, app, n)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
