package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"mlb/haproxy/runtime"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/storm"
)

// life is one run. Its methods are for one goroutine.
type life struct {
	o        options
	site     *site
	program  *program
	target   storm.Balancer
	clients  *clients
	random   *rand.Rand
	begin    time.Time
	sick     []string // tasks whose checks fail
	troubles []*track
	result   *result
	say      func(format string, words ...any)
}

// live starts everything, lets the day pass and ends everything. The result is nil if it
// has not begun. What mlb has written stays when something is wrong, and it says where.
func live(ctx context.Context, o options, progress io.Writer) (r *result, err error) {
	dir, err := os.MkdirTemp("", "mlb-soak")
	if err != nil {
		return nil, err
	}
	say := func(format string, words ...any) {
		_, _ = fmt.Fprintf(progress, time.Now().Format("15:04:05.000")+" "+format+"\n", words...)
	}
	defer func() {
		if err != nil || r.verdict() != nil {
			say("what mlb has written is in %s", dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	if err = os.Chmod(dir, 0o755); err != nil { // HAProxy's worker may be another user
		return nil, err
	}
	if o.mlb == "" {
		o.mlb = filepath.Join(dir, "mlb")
		if text, failure := exec.CommandContext(ctx, "go", "build", "-o", o.mlb, "mlb/cmd/mlb").CombinedOutput(); failure != nil {
			return nil, fmt.Errorf("build mlb: %w\n%s", failure, text)
		}
	}
	say("seed %d", o.seed)
	c, err := marathonsim.New(marathonsim.Options{
		Generation: o.generation, Masters: 3, Agents: agents(), EphemeralPorts: true, ServicePortMax: 1 << 16,
		Launcher: launcher.InProcess{StopDelay: 100 * time.Millisecond}, Speed: 20, HealthInterval: 300 * time.Millisecond,
		LaunchDelay: 30 * time.Millisecond, KillDelay: 20 * time.Millisecond, StreamDelay: 50 * time.Millisecond,
		HeartbeatInterval: 2 * time.Second, LeaderWait: 500 * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	if err = c.Start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	p := &program{o: o, dir: dir, host: loopback(0), masters: c.Masters(), web: &http.Transport{DisableKeepAlives: true}}
	l := &life{
		o: o, site: newSite(c, o.apps, o.groups), program: p,
		target: storm.Balancer{Master: runtime.NewMasterSocket(p.path("run/master.sock"), zap.NewNop()), Config: p.path(configFile)},
		random: rand.New(rand.NewPCG(o.seed, 1)),
		result: newResult(o), say: say,
	}
	l.troubles = []*track{{kinds: marathonTroubles()}, {kinds: hostTroubles()}}
	defer func() { err = errors.Join(err, p.stop(context.WithoutCancel(ctx))) }()
	if err = l.settle(ctx); err != nil {
		return nil, err
	}
	return l.result, l.pass(ctx)
}

// settle deploys the first apps and waits until they are served.
func (l *life) settle(ctx context.Context) error {
	// Until there is a leader Marathon refuses.
	if err := storm.Eventually(ctx, func() error { return l.site.deploy(steady, 2) }); err != nil {
		return err
	}
	for i := range l.site.apps {
		if i != steady && l.random.IntN(2) == 0 {
			if err := l.site.deploy(i, 2); err != nil {
				return err
			}
		}
	}
	if err := l.program.start(ctx); err != nil {
		return err
	}
	l.begin = time.Now()
	l.result.born = l.begin
	_, err := l.exact(ctx)
	return err
}

// pass lets the day pass. Its last checkpoint is the end.
func (l *life) pass(ctx context.Context) error {
	watcher := storm.Watch(ctx, l.target.Master)
	l.clients = newClients(ctx, l.program, l.o.clients, l.o.seed, l.site.host(steady))
	stop := l.result.memory.watch(ctx, l.program)
	err := l.days(ctx)
	stop()
	l.result.traffic = l.clients.end()
	l.result.workers = watcher.Stop().Workers
	l.result.took = time.Since(l.begin)
	return err
}

// days does one thing after the other until the time is over.
func (l *life) days(ctx context.Context) error {
	ticker := time.NewTicker(l.o.pause)
	defer ticker.Stop()
	due := time.Now().Add(l.o.checkpoint)
	for end := l.begin.Add(l.o.duration); time.Now().Before(end); {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := l.program.failure(); err != nil {
			return err
		}
		l.result.operations[l.operate()]++
		l.visible()
		for _, t := range l.troubles {
			if err := t.tick(ctx, l); err != nil {
				return err
			}
		}
		if time.Now().After(due) {
			if err := l.checkpoint(ctx); err != nil {
				return err
			}
			due = time.Now().Add(l.o.checkpoint)
		}
	}
	return l.checkpoint(ctx)
}

// visible tells the clients which virtual hosts there are.
func (l *life) visible() {
	var hosts []string
	for i, a := range l.site.apps {
		if a.present {
			hosts = append(hosts, l.site.host(i))
		}
	}
	l.clients.visit(hosts)
}

// operate does one thing to one app or group and returns what. Marathon may refuse, as
// when a task has gone by itself; then nothing has happened.
func (l *life) operate() string {
	s := l.site
	i := 1 + l.random.IntN(len(s.apps)-1)
	a := &s.apps[i]
	dice := l.random.IntN(100)
	switch {
	case a.group != "" && dice < 8:
		return outcome("group put", s.putGroup(a.group, s.members(a.group)[:l.random.IntN(groupSize)], 1+l.random.IntN(2)))
	case a.group != "" && dice < 11:
		return outcome("group deleted", s.deleteGroup(a.group))
	case !a.present:
		return outcome("app deployed", s.deploy(i, 1+l.random.IntN(3)))
	case dice < 35:
		return outcome("app scaled", s.cluster.Scale(a.id, 1+l.random.IntN(4)))
	case dice < 41:
		return outcome("app scaled to zero", s.cluster.Scale(a.id, 0))
	case dice < 52:
		return outcome("app replaced", s.cluster.Restart(a.id))
	case dice < 60:
		return outcome("label changed", s.rename(i, 1+l.random.IntN(3)))
	case dice < 68:
		return outcome("app deleted", s.delete(i))
	case dice < 82:
		return l.toTask("task killed", a.id, s.cluster.KillTask)
	case dice < 92:
		return l.toTask("task crashed", a.id, s.cluster.CrashTask)
	default:
		return l.toTask("task sick", a.id, func(id string) error {
			l.sick = append(l.sick, id)
			return s.cluster.FailTask(id)
		})
	}
}

// outcome names an operation, and one that was refused.
func outcome(name string, err error) string {
	if err != nil {
		return "refused"
	}
	return name
}

// toTask does something to a task of an app.
func (l *life) toTask(name, app string, do func(id string) error) string {
	tasks := l.site.cluster.Ready(app)
	if len(tasks) == 0 {
		return "refused"
	}
	return outcome(name, do(tasks[l.random.IntN(len(tasks))].ID))
}

// agents run the tasks; each has loopback addresses of this process alone.
func agents() []marathonsim.Agent {
	var out []marathonsim.Agent
	for i := range 5 {
		out = append(out, marathonsim.Agent{Name: loopback(1 + i), Address: loopback(1 + i)})
	}
	return out
}

func loopback(n int) string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&63, pid&255, 1+n)
}
