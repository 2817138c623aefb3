package marathonsim_test

import (
	"slices"
	"strings"
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

// TestLostAgentOfOldGenerations follows Marathon facts 4.2: TASK_LOST, replaced at
// once; the lost task stays listed since 0.15, with its ports.
func TestLostAgentOfOldGenerations(t *testing.T) {
	t.Parallel()
	for generation, listed := range map[marathonsim.Generation]int{marathonsim.V0_11: 2, marathonsim.V1_3: 3} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			c := simtest.Start(t, marathonsim.Options{Generation: generation})
			f := follow(t, c, "")
			f.awaitKind(t, "event_stream_attached", 1)
			simtest.Deploy(t, c, `{"id":"/a","cmd":"serve","instances":2}`)
			lost := simtest.Running(t, c, "/a", 2)[0]
			if err := c.LoseAgent(lost.Agent); err != nil {
				t.Fatal(err)
			}
			simtest.Wait(t, c, "the replacement", func() bool { return len(c.Ready("/a")) == 2 })
			if n := len(c.Tasks("/a")); n != listed {
				t.Errorf("%d tasks are listed, not %d", n, listed)
			}
			_, body := get(t, c.Masters()[0]+"/v2/apps//a")
			if got := strings.Contains(body, `"TASK_LOST","startedAt":"`); got != (listed == 3) {
				t.Error(body)
			}
			if err := c.ReturnAgent(lost.Agent); err != nil {
				t.Fatal(err)
			}
			simtest.Running(t, c, "/a", 2)
			_, data := f.events()
			if !slices.ContainsFunc(data, func(event string) bool {
				return strings.Contains(event, lost.ID) && strings.Contains(event, `"taskStatus":"TASK_LOST"`)
			}) {
				t.Error("no event of the loss")
			}
		})
	}
}
