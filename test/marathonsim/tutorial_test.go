package marathonsim_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/marathonsim/simtest"
)

// TestTutorialRunsForReal runs both groups with redis-server and MariaDB. There is
// no load balancer, so the web tasks run and do not find their databases.
func TestTutorialRunsForReal(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"redis-server", "mariadbd"} {
		if _, err := exec.LookPath(program); err != nil {
			if _, err := os.Stat("/usr/sbin/" + program); err != nil {
				if os.Getenv("CI") != "" {
					t.Fatalf("%s is not installed", program)
				}
				t.Skipf("%s is not installed", program)
			}
		}
	}
	dir, err := os.MkdirTemp("", "sim") //nolint:usetesting // the path of MariaDB's socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the end of the cluster
		if err := os.Remove(dir); err != nil {
			t.Errorf("files are left: %v", err)
		}
	})
	agents := simtest.Agents(t, 3)
	c := simtest.Start(t, marathonsim.Options{
		Masters: 3, Speed: 10, Agents: agents, EphemeralPorts: true,
		Launcher: launcher.Local{Dir: dir, Addresses: map[string]string{"192.168.71.168": agents[0].Address}},
	})
	for _, document := range []string{marathonsim.KeysAndValues(), marathonsim.WordPress()} {
		if r, body := send(t, "POST", c.Masters()[1]+"/v2/groups", document); r.StatusCode != http.StatusCreated {
			t.Fatal(r.Status, body)
		}
	}
	simtest.Running(t, c, "/keys-and-values/db", 1)
	for _, task := range simtest.Running(t, c, "/keys-and-values/app", 3) {
		// PORT of the app wins over the port that Marathon reports.
		r, body := get(t, "http://"+net.JoinHostPort(task.Address, "11111"))
		if r.Header.Get("X-Task") != task.ID || !strings.Contains(body, "redis: error: ") {
			t.Errorf("%s: %s %q", task.ID, r.Status, body)
		}
		if _, _, err := try(t.Context(), "GET", "http://"+task.Addr(0), ""); err == nil {
			t.Errorf("%s answers on the reported port", task.ID)
		}
	}
	simtest.Running(t, c, "/wordpress/mysql-db", 1)
	for _, task := range simtest.Running(t, c, "/wordpress/web-app", 3) {
		r, body := get(t, "http://"+task.Addr(0))
		if r.Header.Get("X-Task") != task.ID || !strings.Contains(body, "database host: "+agents[0].Address+":10000") {
			t.Errorf("%s: %s %q", task.ID, r.Status, body)
		}
	}
	// Redis dies and comes back.
	db := c.Ready("/keys-and-values/db")[0]
	if err := c.CrashTask(db.ID); err != nil {
		t.Fatal(err)
	}
	simtest.Wait(t, c, "another Redis", func() bool {
		ready := c.Ready("/keys-and-values/db")
		return len(ready) == 1 && ready[0].ID != db.ID
	})
}
