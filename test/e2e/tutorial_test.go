package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/redis/go-redis/v9"

	"mlb/test/balancer"
	"mlb/test/haproxytest"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/launcher"
	"mlb/test/marathonsim/simtest"
)

// The tutorial's apps.
const (
	redisApp = "/keys-and-values/db"
	keysApp  = "/keys-and-values/app"
	mysqlApp = "/wordpress/mysql-db"
	webApp   = "/wordpress/web-app"
)

// site is the tutorial: its two groups with real databases, and both balancers.
type site struct {
	cluster            *marathonsim.Cluster
	internal, external *balancer.Balancer
}

// newSite starts the balancers first, so that all that the tutorial's documents lead
// to arrives by itself.
func newSite(t *testing.T, generation marathonsim.Generation) *site {
	t.Helper()
	needs(t, "redis-server", "mariadbd", "mariadb-install-db")
	internal := balancer.Host(t, "internal")
	c := simtest.Start(t, marathonsim.Options{
		// The documents' grace period of five minutes becomes one: a database that
		// makes its files on a busy machine would be killed before it is ready.
		Generation: generation, Masters: 3, Speed: 5, HealthInterval: 300 * time.Millisecond,
		Agents: simtest.Agents(t, 3), EphemeralPorts: true,
		Launcher: launcher.Local{
			Dir: haproxytest.Dir(t), Addresses: map[string]string{"192.168.71.168": internal}, StopDelay: 300 * time.Millisecond,
		},
	})
	s := &site{
		cluster:  c,
		internal: newBalancer(t, "internal", c.Masters()),
		external: newBalancer(t, "external", c.Masters()),
	}
	for _, b := range []*balancer.Balancer{s.internal, s.external} {
		b.Start(t)
	}
	for i, document := range []string{marathonsim.KeysAndValues(), marathonsim.WordPress()} {
		post(t, c.Masters()[i+1]+"/v2/groups", document)
	}
	simtest.Running(t, c, redisApp, 1)
	simtest.Running(t, c, keysApp, 3)
	// The database makes its files first, and the web tasks wait for it: each of the
	// two may take long on a slow machine.
	awaitReady(t, c, mysqlApp, 1)
	awaitReady(t, c, webApp, 3)
	return s
}

// awaitReady waits, longer than simtest does, until n tasks are ready.
func awaitReady(t *testing.T, c *marathonsim.Cluster, app string, n int) {
	t.Helper()
	balancer.Eventually(t, "tasks of "+app+" are ready", func() error {
		if ready := len(c.Ready(app)); ready != n {
			return fmt.Errorf("%d tasks of %d", ready, n)
		}
		return nil
	})
}

// needs skips the test without the programs, or fails it when CI is set.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		_, err := exec.LookPath(p)
		if _, statErr := os.Stat("/usr/sbin/" + p); err == nil || statErr == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", p)
		}
		t.Skipf("%s is not installed", p)
	}
}

// post posts a document as curl does in the tutorial.
func post(t *testing.T, url, document string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(document))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	client := &http.Transport{DisableKeepAlives: true}
	response, err := client.RoundTrip(r)
	must(t, err)
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	body, err := io.ReadAll(response.Body)
	must(t, err)
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("post to %s: %s: %s", url, response.Status, body)
	}
}

func TestTutorial(t *testing.T) {
	t.Parallel()
	for _, generation := range marathonsim.Generations() {
		t.Run("generation "+string(generation), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, generation)
			exactly(t, s.cluster, webApp, 3, s.external.Web(vhost, "/"))
			s.exposesOnlyItsGroup(t)
			s.reachesRedis(t)
			s.reachesMySQL(t)
			s.webTasksReachTheirDatabases(t)
			s.follows(t)
		})
	}
}

// A key that is set through the internal balancer is read from Redis itself.
func (s *site) reachesRedis(t *testing.T) {
	t.Helper()
	task := simtest.Running(t, s.cluster, redisApp, 1)[0]
	open := func(addr string) *redis.Client {
		client := redis.NewClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	key, want := "set through port 9000", t.Name()
	through := open(s.internal.Host + ":9000")
	balancer.Eventually(t, "redis answers through port 9000", func() error {
		return through.Set(t.Context(), key, want, 0).Err()
	})
	if got, err := open(task.Addr(0)).Get(t.Context(), key).Result(); err != nil || got != want {
		t.Errorf("read from redis itself: %q, %v; want %q", got, err, want)
	}
}

// A table that is created through the internal balancer is there in the database
// itself.
func (s *site) reachesMySQL(t *testing.T) {
	t.Helper()
	task := simtest.Running(t, s.cluster, mysqlApp, 1)[0]
	open := func(addr string) *sql.DB {
		config := mysql.NewConfig()
		config.Net, config.Addr, config.User, config.Passwd = "tcp", addr, "root", "my-secret-pw"
		config.Logger = log.New(io.Discard, "", 0)
		connector, err := mysql.NewConnector(config)
		must(t, err)
		db := sql.OpenDB(connector)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	through := open(s.internal.Host + ":10000")
	balancer.Eventually(t, "the database answers through port 10000", func() error { return through.PingContext(t.Context()) })
	for _, statement := range []string{
		"CREATE DATABASE blog", "CREATE TABLE blog.posts (title TEXT)", "INSERT INTO blog.posts VALUES ('first')",
	} {
		if _, err := through.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	var title string
	if err := open(task.Addr(0)).QueryRowContext(t.Context(), "SELECT title FROM blog.posts").Scan(&title); err != nil || title != "first" {
		t.Errorf("read from the database itself: %q, %v; want first", title, err)
	}
}

// The web tasks use the internal balancer under the address of the documents.
func (s *site) webTasksReachTheirDatabases(t *testing.T) {
	t.Helper()
	balancer.Eventually(t, "a page of WordPress reaches its database", func() error {
		return says(t, s.external.Web(vhost, "/"), "database: connected")
	})
	for _, task := range s.cluster.Ready(keysApp) {
		r := balancer.Request{URL: "http://" + net.JoinHostPort(task.Address, "11111")}
		balancer.Eventually(t, task.ID+" reaches Redis", func() error { return says(t, r, "redis: connected") })
	}
}

func says(t *testing.T, r balancer.Request, want string) error {
	t.Helper()
	a, err := r.Send(t.Context())
	if err != nil {
		return err
	}
	if !strings.Contains(a.Body, want) {
		return fmt.Errorf("%s: %q", status(a), a.Body)
	}
	return nil
}

// An app without HAPROXY_GROUP is nowhere, and each balancer has its own group only.
func (s *site) exposesOnlyItsGroup(t *testing.T) {
	t.Helper()
	for b, groups := range map[*balancer.Balancer]struct{ has, lacks []string }{
		s.internal: {[]string{redisApp, mysqlApp}, []string{webApp, keysApp}},
		s.external: {[]string{webApp}, []string{redisApp, mysqlApp, keysApp}},
	} {
		b.WaitReady(t)
		balancer.Eventually(t, "all services of the group are configured", func() error {
			text, err := b.Ask(t.Context(), "/_haproxy_getconfig")
			for _, id := range groups.has {
				if err == nil && !strings.Contains(text, backendName(id)) {
					err = fmt.Errorf("%s is not configured", id)
				}
			}
			return err
		})
		text, err := b.Ask(t.Context(), "/_haproxy_getconfig")
		must(t, err)
		for _, id := range groups.lacks {
			if strings.Contains(text, backendName(id)) {
				t.Errorf("%s is configured on the balancer for %v", id, b.Groups)
			}
		}
	}
	for _, addr := range []string{s.external.Host + ":9000", s.external.Host + ":10000", s.internal.Host + ":11111"} {
		if haproxytest.Connects(t, addr) {
			t.Errorf("somebody listens on %s", addr)
		}
	}
	if got := answerer(t.Context(), s.internal.Web(vhost, "/")); !strings.HasPrefix(got, "503 ") {
		t.Errorf("the internal balancer answers for %s: %s", vhost, got)
	}
}

// backendName is the beginning of the name of an app's backend, contract 6.1.
func backendName(id string) string {
	return "backend " + strings.ReplaceAll(strings.TrimPrefix(id, "/"), "/", "_") + "_"
}

// follows checks that the set of answering tasks stays Marathon's, whatever happens.
func (s *site) follows(t *testing.T) {
	t.Helper()
	c, r := s.cluster, s.external.Web(vhost, "/")
	scale(t, c, webApp, 5)
	exactly(t, c, webApp, 5, r)
	scale(t, c, webApp, 1)
	exactly(t, c, webApp, 1, r)
	scale(t, c, webApp, 3)
	exactly(t, c, webApp, 3, r)

	for what, end := range map[string]func(string) error{"killed by Marathon": c.KillTask, "dead by itself": c.CrashTask} {
		victim := c.Ready(webApp)[0].ID
		must(t, end(victim))
		simtest.Wait(t, c, "the task is replaced", func() bool {
			ready := c.Ready(webApp)
			return len(ready) == 3 && !slices.ContainsFunc(ready, func(task marathonsim.TaskInfo) bool { return task.ID == victim })
		})
		t.Log("a task is " + what)
		exactly(t, c, webApp, 3, r)
	}

	before := c.Leader()
	must(t, c.ChangeLeader())
	simtest.Wait(t, c, "another leader", func() bool { return c.Leader() >= 0 && c.Leader() != before })
	scale(t, c, webApp, 4)
	exactly(t, c, webApp, 4, r)

	must(t, c.Delete(webApp))
	closed(t, r)
	closed(t, s.external.Port(11111, "/"))
	s.stillThere(t)
}

// stillThere checks that the databases are served after the web app is gone.
func (s *site) stillThere(t *testing.T) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.internal.Host + ":9000"})
	defer client.Close() //nolint:errcheck // it was only read from
	ctx, cancel := context.WithTimeout(t.Context(), balancer.Deadline)
	defer cancel()
	if got, err := client.Get(ctx, "set through port 9000").Result(); err != nil || got != t.Name() {
		t.Errorf("the key is %q, %v", got, err)
	}
}
