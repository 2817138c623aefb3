package marathonsim_test

import (
	"strings"
	"testing"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

func TestTasksAnswerWhereTheAPISaysTheyAre(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{})
	simtest.Deploy(t, c, `{"id":"/shop/web","cmd":"serve","instances":3}`)
	tasks := simtest.Running(t, c, "/shop/web", 3)
	for _, task := range tasks {
		r, body := get(t, "http://"+task.Addr(0)+"/")
		if got := r.Header.Get("X-Task"); got != task.ID {
			t.Errorf("task %s answered as %q", task.ID, got)
		}
		if !strings.Contains(body, "app: /shop/web\n") {
			t.Errorf("the body does not name the app: %q", body)
		}
	}
	if err := c.Scale("/shop/web", 1); err != nil {
		t.Fatal(err)
	}
	left := simtest.Running(t, c, "/shop/web", 1)[0]
	for _, task := range tasks {
		_, _, err := try(t.Context(), "GET", "http://"+task.Addr(0)+"/", "")
		if alive := err == nil; alive != (task.ID == left.ID) {
			t.Errorf("task %s: error %v, but the task that was left is %s", task.ID, err, left.ID)
		}
	}
	if err := c.Delete("/shop/web"); err != nil {
		t.Fatal(err)
	}
	simtest.Running(t, c, "/shop/web", 0)
	simtest.Idle(t, c)
}
