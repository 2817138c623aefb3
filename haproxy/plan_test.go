package haproxy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlb/haproxy"
)

// pick draws one of the values.
func pick(t *rapid.T, label string, values ...string) string {
	return rapid.SampledFrom(values).Draw(t, label)
}

// drawSkeleton draws the lines of a backend that are no servers.
func drawSkeleton(t *rapid.T) string {
	return pick(t, "balance", "", "", " balance leastconn\n", " balance static-rr\n", " balance source\n", " balance first\n") +
		pick(t, "cookie", "", "", "", " cookie C insert indirect\n") +
		pick(t, "default-server", "", "", " default-server weight 5\n", " default-server check\n", " default-server disabled\n") +
		pick(t, "use-server", "", "", "", " use-server s1 if FALSE\n") +
		pick(t, "other", "", " mode http\n", " option httpchk\n")
}

// drawServers draws server lines of a backend.
func drawServers(t *rapid.T) []string {
	var lines []string
	reversed := rapid.Bool().Draw(t, "ids reversed") // an id is used once in a backend
	for _, i := range rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "order") {
		if rapid.Bool().Draw(t, "absent") {
			continue
		}
		id := i + 1
		if reversed {
			id = 4 - i
		}
		words := []string{
			fmt.Sprintf(" server s%d", i),
			pick(t, "address", fmt.Sprintf("10.0.0.%d:80", i+1), fmt.Sprintf("10.0.0.%d:80", i+1), fmt.Sprintf("[fe80::%d]:81", i+1), "db.example.com:1"),
			pick(t, "weight", "", "", "weight 0", "weight 5", "weight 256", "weight 300"),
			pick(t, "state", "", "", "disabled", "enabled"),
			pick(t, "check", "", "check"),
			pick(t, "cookie", "", "", fmt.Sprintf("cookie c%d", i)),
			pick(t, "id", "", fmt.Sprintf("id %d", id)),
			pick(t, "option", "", "", "", "fall 3", "shard 1", "resolvers r", "fantasy x"),
		}
		lines = append(lines, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")+"\n")
	}
	return lines
}

// drawTexts draws two configurations that have much in common.
func drawTexts(t *rapid.T) (running, desired string) {
	var texts [2]strings.Builder
	for i := range texts {
		texts[i].WriteString("global\n")
	}
	shared := func(label string, draw func() string) {
		text := draw()
		texts[0].WriteString(text)
		if rapid.IntRange(0, 3).Draw(t, label+" differs") == 0 {
			text = draw()
		}
		texts[1].WriteString(text)
	}
	shared("defaults", func() string {
		return pick(t, "defaults", "", "defaults\n", "defaults\n balance source\n", "defaults\n default-server check\n")
	})
	for _, name := range []string{"b0", "b1", "b2"} {
		shared(name, func() string { return "backend " + name + "\n" + drawSkeleton(t) })
		for i := range texts {
			for _, line := range drawServers(t) {
				texts[i].WriteString(line)
			}
		}
	}
	return texts[0].String(), texts[1].String()
}

func drawVersion(t *rapid.T) haproxy.Version {
	return rapid.SampledFrom([]haproxy.Version{version(2, 6), version(2, 8), version(3, 0), version(3, 4)}).Draw(t, "version")
}

// execute runs a plan's steps on the model, deletions included, and calls after
// when each command is done.
func execute(t *rapid.T, m *model, plan haproxy.Plan, after func(command string)) {
	for _, step := range plan.Steps {
		commands := step.Commands()
		if step.Kind == haproxy.RemoveServer {
			commands = append(commands, haproxy.DeleteCommand(step.Backend, step.Server.Name))
		}
		for _, command := range commands {
			if strings.ContainsAny(command, ";\n\r") {
				t.Fatalf("%q is more than one command", command)
			}
			if err := m.run(command); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			after(command)
		}
	}
}

func TestStepsLeadToAfter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, wanted := drawTexts(t)
		v := drawVersion(t)
		running, desired := haproxy.Parse(before), haproxy.Parse(wanted)
		plan := haproxy.Diff(running, desired, v)
		after := running.After(plan.Steps)
		m := load(running, v)
		execute(t, m, plan, func(string) {})
		if diff := cmp.Diff(load(after, v).state(), m.state()); diff != "" {
			t.Fatalf("servers of After and of the model (-after +model):\n%s", diff)
		}
		if again := haproxy.Diff(after, desired, v); len(again.Steps) > 0 {
			t.Fatalf("steps from After to desired: %v", again.Steps)
		}
		if len(plan.Reasons) == 0 {
			if diff := cmp.Diff(load(desired, v).state(), m.state()); diff != "" {
				t.Fatalf("no reason to reload, but (-desired +model):\n%s", diff)
			}
		}
	})
}

func TestNoStepTakesTheLastServer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, wanted := drawTexts(t)
		v := drawVersion(t)
		running := haproxy.Parse(before)
		plan := haproxy.Diff(running, haproxy.Parse(wanted), v)
		m := load(running, v)
		was, will := m.rotating(), load(running.After(plan.Steps), v).rotating()
		execute(t, m, plan, func(command string) {
			now := m.rotating()
			for backend := range was {
				if will[backend] && !now[backend] {
					t.Fatalf("backend %s has no server in rotation after %s", backend, command)
				}
			}
		})
	})
}

func TestStepsMayBeRepeated(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, wanted := drawTexts(t)
		v := drawVersion(t)
		running := haproxy.Parse(before)
		plan := haproxy.Diff(running, haproxy.Parse(wanted), v)
		once, twice := load(running, v), load(running, v)
		execute(t, once, plan, func(string) {})
		for _, step := range plan.Steps {
			for range 2 {
				for _, command := range step.Commands() {
					_ = twice.run(command) // a repeated addition is refused
				}
			}
			if step.Kind == haproxy.RemoveServer {
				_ = twice.run(haproxy.DeleteCommand(step.Backend, step.Server.Name))
			}
		}
		if diff := cmp.Diff(once.state(), twice.state()); diff != "" {
			t.Fatalf("servers (-once +twice):\n%s", diff)
		}
	})
}

func TestDiffOfEqualTextsIsEmpty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, _ := drawTexts(t)
		c := haproxy.Parse(text)
		if plan := haproxy.Diff(c, haproxy.Parse(text), drawVersion(t)); !plan.Empty() {
			t.Fatalf("Diff(x, x) = %v", plan)
		}
	})
}

func TestOrderOfServersDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, wanted := drawTexts(t)
		v := drawVersion(t)
		running, desired := haproxy.Parse(before), haproxy.Parse(wanted)
		want := planText(haproxy.Diff(running, desired, v))
		for _, c := range []haproxy.Config{running, desired} {
			for _, s := range c.Sections.All() {
				slices.Reverse(s.Servers)
			}
		}
		if diff := cmp.Diff(want, planText(haproxy.Diff(running, desired, v))); diff != "" {
			t.Fatalf("plan (-before +after reversing):\n%s", diff)
		}
	})
}

func planText(p haproxy.Plan) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, s.Commands()...)
	}
	for _, r := range p.Reasons {
		out = append(out, fmt.Sprint(r))
	}
	return out
}

func TestWrittenAfterIsReadTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, wanted := drawTexts(t)
		v := drawVersion(t)
		running, desired := haproxy.Parse(before), haproxy.Parse(wanted)
		plan := haproxy.Diff(running, desired, v)
		if len(plan.Reasons) > 0 {
			return // then the desired text is what is written
		}
		after := running.After(plan.Steps)
		if again := haproxy.Diff(haproxy.Parse(after.Text()), desired, v); !again.Empty() {
			t.Fatalf("plan %v after reading\n%s", again, after.Text())
		}
	})
}

// Whatever the texts: no panic, no command that is two, and After leaves no steps.
func FuzzDiff(f *testing.F) {
	text := sample(f)
	f.Add(text, text, uint8(6))
	f.Add(text, strings.ReplaceAll(text, "disabled", "weight 7"), uint8(6))
	f.Add("backend x\n", backend(srvA, srvB+" cookie c"), uint8(30))
	f.Add(backend(srvA, "\u00a0"), backend(srvB, "''"), uint8(6))
	f.Add("listen x\n server a;b 1.1.1.1:1", "listen x\n server 'a\\nb' 1.1.1.1:1 weight +1", uint8(6))
	f.Fuzz(func(t *testing.T, before, wanted string, minor uint8) {
		running, desired := haproxy.Parse(before), haproxy.Parse(wanted)
		names := map[string]bool{}
		for _, s := range running.Sections.All() {
			if s.Kind == "backend" || s.Kind == "listen" {
				if names[s.Name] || !haproxy.ValidName(s.Name) {
					return // HAProxy does not run such a text
				}
				names[s.Name] = true
			}
		}
		v := version(2+int(minor)/10, int(minor)%10)
		if plan := haproxy.Diff(running, running, v); !plan.Empty() {
			t.Errorf("Diff(x, x) = %v", plan)
		}
		plan := haproxy.Diff(running, desired, v)
		for _, s := range plan.Steps {
			for _, command := range s.Commands() {
				if strings.ContainsAny(command, ";\n\r\\'\"#<") {
					t.Errorf("%q is more than a command", command)
				}
			}
		}
		if again := haproxy.Diff(running.After(plan.Steps), desired, v); len(again.Steps) > 0 {
			t.Errorf("steps from After to desired: %v", again.Steps)
		}
	})
}
