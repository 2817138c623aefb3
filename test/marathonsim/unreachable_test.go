package marathonsim_test

import (
	"slices"
	"testing"

	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

func TestUnreachableAgent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		strategy string
		listed   int // tasks listed after the loss has settled, ready ones are 3
		again    int // tasks listed after the agent is back
	}{
		"by default tasks are replaced and forgotten at once": {`{"inactiveAfterSeconds":0,"expungeAfterSeconds":0}`, 3, 3},
		"an inactive task lingers beside its replacement":     {`{"inactiveAfterSeconds":0,"expungeAfterSeconds":36000}`, 4, 3},
		"disabled means that nothing is replaced":             {`"disabled"`, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{})
			simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","instances":3,"unreachableStrategy":`+tt.strategy+`}`)
			tasks := simtest.Running(t, c, "/a", 3)
			lost := tasks[0]
			if err := c.LoseAgent(lost.Agent); err != nil {
				t.Fatal(err)
			}
			ready := 3
			if tt.strategy == `"disabled"` {
				ready = 2
			}
			simtest.Wait(t, c, "the replacement", func() bool {
				return len(c.Ready("/a")) == ready && len(c.Tasks("/a")) == tt.listed
			})
			if r, _ := get(t, "http://"+lost.Addr(0)); r.Header.Get("X-Task") != lost.ID {
				t.Error("the lost task does not go on")
			}
			if err := c.ReturnAgent(lost.Agent); err != nil {
				t.Fatal(err)
			}
			kept := simtest.Running(t, c, "/a", tt.again)
			is := func(task marathonsim.TaskInfo) bool { return task.ID == lost.ID }
			if tt.strategy == `"disabled"` && !slices.ContainsFunc(kept, is) {
				t.Error("the task did not come back")
			}
		})
	}
}
