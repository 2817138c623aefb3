package marathon_test

import (
	"fmt"
	"net/http"
	"testing"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// shopPod is a pod with a check, so many instances and a label.
func shopPod(instances int, label string) string {
	return fmt.Sprintf(`{"id": "/shop", "scaling": {"kind": "fixed", "instances": %d}, "labels": {"HAPROXY_0_PORT": "10001", "x": %q},
		"networks": [{"mode": "host"}], "containers": [{"name": "web", "endpoints": [{"name": "http", "hostPort": 0}],
		"healthCheck": {"http": {"endpoint": "http"}, "intervalSeconds": 1, "gracePeriodSeconds": 0, "maxConsecutiveFailures": 1000}}]}`, instances, label)
}

func deployPod(t *testing.T, w *watching, document string) {
	t.Helper()
	if err := w.cluster.DeployPod(document); err != nil {
		t.Fatal(err)
	}
}

func (w *watching) lists() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.full
}

// TestPodsAreFollowed through their life, by events. What happens to a pod that is known
// costs no list.
func TestPodsAreFollowed(t *testing.T) {
	t.Parallel()
	for _, generation := range []marathonsim.Generation{marathonsim.V1_4, marathonsim.V1_9} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			w := watchBoth(t, marathonsim.Options{Generation: generation, Masters: 3, Speed: 100}, true)
			eventually(t, "a stream", func() bool { return w.cluster.Streams() == 1 && w.watcher.Status().Stream.Connected })
			deployPod(t, w, shopPod(2, "a"))
			w.converges(t, 2)
			before := w.lists()
			deployPod(t, w, shopPod(4, "a"))
			w.converges(t, 4)
			deployPod(t, w, shopPod(3, "b"))
			w.converges(t, 3)
			tasks := w.cluster.Tasks("/shop")
			if err := w.cluster.FailTask(tasks[0].ID); err != nil {
				t.Fatal(err)
			}
			w.reaches(t, []string{tasks[1].Addr(0), tasks[2].Addr(0)}) // degraded, and the endpoint is not healthy
			if err := w.cluster.RecoverTask(tasks[0].ID); err != nil {
				t.Fatal(err)
			}
			w.converges(t, 3)
			if err := w.cluster.KillTask(tasks[1].ID); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the end of the instance", func() bool { return w.cluster.Tasks("/shop")[1].ID != tasks[1].ID })
			w.converges(t, 3)
			if n := w.lists() - before; n > 0 {
				t.Errorf("%d lists were read for one known pod", n)
			}
			if err := w.cluster.ChangeLeader(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a leader", func() bool { return w.cluster.Leader() >= 0 })
			deployPod(t, w, shopPod(1, "b"))
			w.converges(t, 1)
			simtest.Deploy(t, w.cluster, `{"id": "/other", "cmd": "serve", "portDefinitions": [{"port": 10002}]}`)
			other := simtest.Running(t, w.cluster, "/other", 1)[0]
			pod := w.cluster.Tasks("/shop")[0]
			w.reaches(t, []string{pod.Addr(0), other.Addr(0)})
			if err := w.cluster.DeletePod("/shop"); err != nil {
				t.Fatal(err)
			}
			w.reaches(t, []string{other.Addr(0)})
		})
	}
}

// TestPodsStayWhenTheirListFails: no answer, a bad answer and an error never mean that
// there are no pods, and an app's routes do not go without the pods'.
func TestPodsStayWhenTheirListFails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]marathonsim.Fault{
		"hang":             {Kind: marathonsim.FaultHang},
		"reset":            {Kind: marathonsim.FaultReset},
		"truncated answer": {Kind: marathonsim.FaultTruncate},
		"empty answer":     {Kind: marathonsim.FaultEmpty},
		"status 404":       {Kind: marathonsim.FaultStatus, Status: http.StatusNotFound},
		"status 500":       {Kind: marathonsim.FaultStatus, Status: http.StatusInternalServerError},
		"status 503":       {Kind: marathonsim.FaultStatus, Status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watchBoth(t, marathonsim.Options{Masters: 2, Speed: 100}, true)
			deployPod(t, w, shopPod(2, "a"))
			w.converges(t, 2)
			fault.Path = "/v2/pods"
			w.cluster.SetFault(marathonsim.AllMasters, fault)
			w.watcher.Refresh("signal")
			eventually(t, "a failed reading", func() bool { return w.watcher.Status().Failing })
			if got := w.endpoints(); len(got) != 2 {
				t.Errorf("endpoints %v after a failed reading, want both", got)
			}
			deployPod(t, w, shopPod(3, "a"))
			simtest.Running(t, w.cluster, "/shop", 3)
			w.cluster.SetFault(marathonsim.AllMasters, marathonsim.Fault{})
			w.converges(t, 3)
		})
	}
}
