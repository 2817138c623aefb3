package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mlb/test/marathonsim"
)

// play tells the story, step by step, and checks each one.
func (s *scene) play(ctx context.Context, keep bool) error {
	if err := s.setUp(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.post, s.look, s.scaleUp, s.killTask, s.scaleDown, s.changeLeader} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := s.sayReloads(ctx); err != nil {
		return err
	}
	if keep {
		s.sayWhere()
		s.say("Everything stays until Ctrl-C. Logs: %s/{internal,external}/mlb.log", s.dir)
		<-ctx.Done()
	}
	return nil
}

// master is the address that commands are sent to.
func (s *scene) master() string { return strings.TrimSuffix(s.cluster.Masters()[0], "/") }

// post gives Marathon the tutorial's two groups with the tutorial's own command.
func (s *scene) post(ctx context.Context) error {
	s.say("\n1. Posting the two groups of the tutorial, unchanged.")
	for file, text := range map[string]string{"keys-and-values.json": marathonsim.KeysAndValues(), "wordpress.json": marathonsim.WordPress()} {
		if err := os.WriteFile(filepath.Join(s.dir, file), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write document: %w", err)
		}
	}
	for _, file := range []string{"keys-and-values.json", "wordpress.json"} {
		if _, err := s.command(ctx, fmt.Sprintf("curl -sS --fail -H 'Content-Type: application/json' -d @%s %s/v2/groups", file, s.master())); err != nil {
			return err
		}
	}
	s.say("  Redis and MariaDB start first; the web apps wait until they are healthy. That takes some seconds.")
	for app, n := range map[string]int{demoRedis: 1, demoKeys: 3, demoMySQL: 1, demoWeb: 3} {
		limited, cancel := context.WithTimeout(ctx, demoLimit)
		_, err := s.cluster.WaitRunning(limited, app, n)
		cancel()
		if err != nil {
			return fmt.Errorf("wait for %d tasks of %s: %w", n, app, err)
		}
	}
	for _, port := range []string{":9000", ":10000"} {
		if err := s.connects(ctx, s.internal()+port); err != nil {
			return err
		}
	}
	return s.follows(ctx)
}

// sayWhere prints where to look.
func (s *scene) sayWhere() {
	s.say("\nWhere to look:")
	s.say("  the web app         %s", s.curlVHost())
	s.say("  Redis               redis-cli -h %s -p 9000", s.internal())
	s.say("  MariaDB             mariadb --skip-ssl -h %s -P 10000 -u root -pmy-secret-pw", s.internal())
	s.say("  statistics          http://%s:9090/haproxy?stats and http://%s:9090/haproxy?stats", s.internal(), s.external())
	s.say("  Marathon            %s/v2/apps", s.master())
	s.say("  is it well          curl http://%s:9090/_mlb/ready", s.external())
	s.say("  problems, if any    curl http://%s:9090/_mlb/problems", s.external())
}

func (s *scene) curlVHost() string {
	return fmt.Sprintf("curl -sS -H 'Host: %s' http://%s%s/", demoVHost, s.external(), vhostPort)
}

// look shows that every service is reachable where the tutorial says.
func (s *scene) look(ctx context.Context) error {
	s.sayWhere()
	s.say("\n2. Asking all of them.")
	web, err := s.command(ctx, s.curlVHost())
	if err != nil {
		return err
	}
	s.say("  %s", firstWords(web))
	out, err := s.command(ctx, fmt.Sprintf("redis-cli -h %s -p 9000 set colour green && redis-cli -h %s -p 9000 get colour", s.internal(), s.internal()))
	if err != nil {
		return err
	}
	s.say("  %s", firstWords(out))
	if !strings.Contains(out, "green") {
		return fmt.Errorf("redis answered %q", out)
	}
	sql := "create database if not exists demo; create or replace table demo.t (n int); insert into demo.t values (42); select n from demo.t"
	if out, err = s.command(ctx, fmt.Sprintf("mariadb --skip-ssl -h %s -P 10000 -u root -pmy-secret-pw -N -e '%s'", s.internal(), sql)); err != nil {
		return err
	}
	s.say("  %s", firstWords(out))
	if !strings.Contains(out, "42") {
		return fmt.Errorf("mariadb answered %q", out)
	}
	r, err := s.get(ctx, s.internal()+vhostPort, "/", demoVHost)
	if err != nil {
		return err
	}
	s.say("  The internal balancer answers %d for the external app: groups are kept apart.", r.status)
	if r.status != http.StatusServiceUnavailable {
		return errors.New("the external app is exposed on the internal balancer")
	}
	return nil
}

// firstWords returns as many words of text as fit into a line or two.
func firstWords(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	const most = 160
	if len(text) <= most {
		return text
	}
	return text[:strings.LastIndexByte(text[:most], ' ')+1] + "…"
}

func (s *scene) scaleUp(ctx context.Context) error {
	s.say("\n3. Scaling the web app from 3 to 5 tasks. The new ones answer as soon as they run.")
	return s.scale(ctx, 5)
}

func (s *scene) scaleDown(ctx context.Context) error {
	s.say("\n5. Scaling down to 1. The tasks that go get no new request; what runs is finished.")
	return s.scale(ctx, 1)
}

func (s *scene) scale(ctx context.Context, n int) error {
	if _, err := s.command(ctx, fmt.Sprintf(`curl -sS --fail -X PUT -H 'Content-Type: application/json' -d '{"instances": %d}' '%s/v2/apps%s?force=true'`, n, s.master(), demoWeb)); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	if _, err := s.cluster.WaitRunning(limited, demoWeb, n); err != nil {
		return fmt.Errorf("wait for %d tasks: %w", n, err)
	}
	return s.follows(ctx)
}

func (s *scene) killTask(ctx context.Context) error {
	id := s.cluster.Ready(demoWeb)[0].ID
	s.say("\n4. Killing a task. Marathon starts another one, on another port.")
	if _, err := s.command(ctx, fmt.Sprintf("curl -sS --fail -X DELETE %s/v2/apps%s/tasks/%s", s.master(), demoWeb, id)); err != nil {
		return err
	}
	err := s.until(ctx, "the task is replaced", func(context.Context) error {
		ready := s.cluster.Ready(demoWeb)
		if len(ready) != 5 || slices.ContainsFunc(ready, func(t marathonsim.TaskInfo) bool { return t.ID == id }) {
			return fmt.Errorf("%d tasks are ready", len(ready))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.follows(ctx)
}

func (s *scene) changeLeader(ctx context.Context) error {
	s.say("\n6. Deposing the leader. Marathon forgets all health results; nobody loses a server.")
	if _, err := s.command(ctx, "curl -sS --fail -X DELETE "+s.master()+"/v2/leader"); err != nil {
		return err
	}
	second := strings.TrimPrefix(s.cluster.Masters()[1], "http://")
	err := s.until(ctx, "there is a new leader", func(ctx context.Context) error { return s.good(ctx, second, "/v2/leader") })
	if err != nil {
		return err
	}
	if err = s.follows(ctx); err != nil {
		return err
	}
	s.say("  And back to 3 tasks, told to the new leader.")
	return s.until(ctx, "the new leader scales", func(ctx context.Context) error { return s.scale(ctx, 3) })
}

// follows waits until the tasks that answer through the external balancer are
// exactly those that Marathon calls ready, and names them.
func (s *scene) follows(ctx context.Context) error {
	var answering []string
	err := s.until(ctx, "the tasks that answer are Marathon's", func(ctx context.Context) error {
		want := map[string]bool{}
		for _, t := range s.cluster.Ready(demoWeb) {
			want[t.ID] = true
		}
		have := map[string]bool{}
		for range 4 * (len(want) + 1) {
			r, err := s.get(ctx, s.external()+vhostPort, "/", demoVHost)
			if err != nil {
				return err
			}
			have[r.task] = true
		}
		if answering = slices.Sorted(maps.Keys(have)); !maps.Equal(have, want) {
			return fmt.Errorf("answering: %s", strings.Join(answering, " "))
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.say("  %d task(s) answer, exactly those that run in Marathon:", len(answering))
	for _, id := range answering {
		s.say("    %s", id)
	}
	return nil
}

// sayReloads tells how often the external balancer's HAProxy was reloaded.
func (s *scene) sayReloads(ctx context.Context) error {
	r, err := s.get(ctx, s.external()+":9090", "/_mlb/metrics", "")
	if err != nil {
		return err
	}
	reloads := "0"
	for line := range strings.Lines(r.body) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), `mlb_reloads_total{result="ok"} `); ok {
			reloads = n
		}
	}
	s.say("\nThe external HAProxy was reloaded %s time(s): when the app appeared. All the rest was done at run time.", reloads)
	return nil
}
