package image_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// paths looks at what job definitions and custom templates of marathon-lb's users
// depend on (contract 1.1), in a container that serves.
func (s *scene) paths(t *testing.T) {
	s.external.docker(t, append([]string{"exec", s.externalID, "ls", "-d"}, []string{
		"/marathon-lb/run", "/marathon-lb/marathon_lb.py", "/marathon-lb/zdd.py", "/marathon-lb/bluegreen_deploy.py",
		"/marathon-lb/reload_haproxy.sh", "/marathon-lb/haproxy.cfg", "/marathon-lb/templates/",
		"/marathon-lb/getpids.lua", "/marathon-lb/getconfig.lua", "/marathon-lb/getmaps.lua", "/marathon-lb/signalmlb.lua",
		"/var/run/haproxy/socket", "/var/state/haproxy/", "/etc/ssl/cert.pem",
	}...)...)
	if got := s.external.docker(t, "inspect", "--format", "{{.Config.WorkingDir}} {{.Config.Entrypoint}} {{.Config.Cmd}}", s.externalID); !strings.HasPrefix(got, "/marathon-lb [/marathon-lb/run] [sse ") {
		t.Errorf("working directory, entry point and arguments: %s", got)
	}
	before := s.worker(t)
	s.external.docker(t, "exec", s.externalID, "/marathon-lb/reload_haproxy.sh")
	waitFor(t, time.Minute, "a new worker", func(context.Context) error {
		if s.worker(t) == before {
			return errors.New("it is the old one")
		}
		return nil
	})
}

// worker is the newest of HAProxy's processes.
func (s *scene) worker(t *testing.T) string {
	t.Helper()
	page, _, err := get(t.Context(), "http://"+externalHost+":9090/_haproxy_getpids", "")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(page)
	if len(words) == 0 {
		t.Fatal("HAProxy has no process")
	}
	return words[len(words)-1]
}

// job starts the image as a user of marathon-lb does who has a HEAD of his own, with
// its Lua files, and collects the log from the container's output.
func (s *scene) job(t *testing.T) {
	head := `global\n  log /dev/log local0\n  lua-load /marathon-lb/getpids.lua\n  lua-load /marathon-lb/getconfig.lua\n` +
		`  lua-load /marathon-lb/getmaps.lua\n  lua-load /marathon-lb/signalmlb.lua\n` +
		`  stats socket /var/run/haproxy/socket expose-fd listeners\n  server-state-file global\n  server-state-base /var/state/haproxy/\n` +
		`defaults\n  log global\n  mode http\n  option httplog\n  load-server-state-from-file global\n` +
		`  timeout connect 3s\n  timeout client 30s\n  timeout server 30s\n` +
		`listen stats\n  bind 0.0.0.0:9090\n  monitor-uri /_haproxy_health_check\n` +
		`  http-request use-service lua.getpids if { path /_haproxy_getpids }\n` +
		`  http-request use-service lua.signalmlbhup if { path /_mlb_signal/hup }\n`
	s.external.docker(t, "rm", "--force", s.externalID)
	words := strings.Fields(strings.Replace(externalLine, " IMAGE ", " "+s.image+" ", 1))[2:]
	line := append([]string{"run", "-e", "HAPROXY_SYSLOGD=1", "-e", "HAPROXY_HEAD=" + head}, words...)
	id := s.external.docker(t, line...)
	defer s.external.docker(t, "rm", "--force", id)
	waitFor(t, time.Minute, "the services of the Lua files", func(ctx context.Context) error {
		for path, want := range map[string]string{"/_haproxy_getpids": " ", "/_mlb_signal/hup": "Sent SIGHUP signal to marathon-lb"} {
			page, _, err := get(ctx, "http://"+externalHost+":9090"+path, "")
			if err != nil {
				return err
			}
			if !strings.Contains(page, want) {
				return fmt.Errorf("%s: %q", path, page)
			}
		}
		return nil
	})
	s.wordpressAnswers(t)
	waitFor(t, time.Minute, "HAProxy's log in the container's output", func(context.Context) error {
		// Standard output alone: mlb's own log goes to the other one.
		if out := s.external.docker(t, "logs", id); !strings.Contains(out, "haproxy[") || !strings.Contains(out, "_haproxy_getpids") {
			return fmt.Errorf("not yet: %s", lastLines(out, 3))
		}
		return nil
	})
}
