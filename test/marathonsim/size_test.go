package marathonsim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// TestManyTasks checks that a cluster of a size that real ones have can be made
// in a test: SIM_APPS=10000 makes it large.
func TestManyTasks(t *testing.T) {
	t.Parallel()
	apps := 200
	if s := os.Getenv("SIM_APPS"); s != "" {
		if _, err := fmt.Sscan(s, &apps); err != nil {
			t.Fatal(err)
		}
	}
	c := simtest.Start(t, marathonsim.Options{Unserved: true, LaunchDelay: -1, ServicePortMax: 60000})
	var docs []string
	for i := range apps {
		docs = append(docs, fmt.Sprintf(`{"id":"app-%d","cmd":"serve","instances":10}`, i))
	}
	simtest.Deploy(t, c, `{"id":"many","apps":[`+strings.Join(docs, ",")+`]}`)
	simtest.Idle(t, c)
	_, body := get(t, c.Masters()[0]+"/v2/apps?embed=apps.tasks")
	var doc struct {
		Apps []struct {
			ID    string
			Tasks []struct{ State string }
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Apps) != apps {
		t.Fatalf("%d apps instead of %d", len(doc.Apps), apps)
	}
	for _, app := range doc.Apps {
		if len(app.Tasks) != 10 || app.Tasks[0].State != "TASK_RUNNING" {
			t.Errorf("%s: %v", app.ID, app.Tasks)
		}
	}
}
