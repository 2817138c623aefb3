package launcher_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/goleak"

	"mlb/test/marathonsim/launcher"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// deadline is how long a test waits for a condition.
const deadline = 60 * time.Second

// need skips the test when a program is missing, or fails it when CI is set.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if _, err := os.Stat("/usr/sbin/" + program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}

// address returns a loopback address of the test's own.
func address(t *testing.T) string {
	t.Helper()
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%d %s", os.Getpid(), t.Name())
	n := h.Sum32()
	return fmt.Sprintf("127.%d.%d.%d", 170+n>>24%20, n>>16&0xff, 1+n>>8&0xff%250)
}

// task returns a task with one port that is bound.
func task(t *testing.T) launcher.Task {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", net.JoinHostPort(address(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return launcher.Task{
		ID: "task-1", App: "/app", Agent: "agent", Address: address(t),
		Listeners: []net.Listener{l}, Ports: []int{port}, Env: map[string]string{"PORT": strconv.Itoa(port)},
	}
}

// start starts a task that ends with the test.
func start(t *testing.T, l launcher.Launcher, spec launcher.Task) launcher.Process {
	t.Helper()
	p, err := l.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Crash()
		<-p.Done()
	})
	return p
}

func addr(spec launcher.Task) string {
	return net.JoinHostPort(spec.Address, strconv.Itoa(spec.Ports[0]))
}

// eventually repeats ok until it returns nil.
func eventually(t *testing.T, ok func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ok(ctx)
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("after %s: %v", deadline, err)
		}
	}
}

// reply is an answer of which the body was read.
type reply struct {
	StatusCode int
	Header     http.Header
}

func fetch(ctx context.Context, method, url, body string) (*reply, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	return &reply{response.StatusCode, response.Header}, string(b), err
}

func awaitEnd(t *testing.T, p launcher.Process) launcher.Exit {
	t.Helper()
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case <-p.Done():
		return p.Exit()
	case <-timer.C:
		t.Fatal("the process does not end")
		return launcher.Exit{}
	}
}

func TestInProcessSpeaksHTTPAndLines(t *testing.T) {
	t.Parallel()
	spec := task(t)
	p := start(t, launcher.InProcess{}, spec)
	r, body, err := fetch(t.Context(), "GET", "http://"+addr(spec)+"/x?status=418&bytes=3", "")
	if err != nil || r.StatusCode != http.StatusTeapot || r.Header.Get(launcher.HeaderTask) != "task-1" ||
		!strings.Contains(body, "path: /x\n") || !strings.HasSuffix(body, "\n\x00\x00\x00") {
		t.Errorf("%v %q %v", r, body, err)
	}
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr(spec))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	lines := bufio.NewScanner(conn)
	for _, say := range []string{"hi", "a longer line"} {
		if _, err := io.WriteString(conn, say+"\n"); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != "task-1 "+say {
			t.Errorf("%q", lines.Text())
		}
	}
	p.Stop(50 * time.Millisecond) // the session lasts to the end of the grace period
	if exit := awaitEnd(t, p); exit.Code != 137 {
		t.Errorf("%+v", exit)
	}
}

func TestInProcessStopsAcceptingAndFinishesRequests(t *testing.T) {
	t.Parallel()
	spec := task(t)
	p := start(t, launcher.InProcess{}, spec)
	got := make(chan error, 1)
	served := make(chan struct{})
	go func() {
		// The task asks for the body when it serves the request.
		trace := &httptrace.ClientTrace{Got100Continue: func() { close(served) }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost,
			"http://"+addr(spec)+"/?sleep=200ms", strings.NewReader("body"))
		if err != nil {
			got <- err
			return
		}
		r.Header.Set("Expect", "100-continue")
		response, err := (&http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: deadline}).RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		got <- err
	}()
	select {
	case <-served:
	case err := <-got:
		t.Fatalf("the request ended before it was served: %v", err)
	}
	p.Stop(deadline)
	if err := <-got; err != nil {
		t.Errorf("the running request: %v", err)
	}
	if exit := awaitEnd(t, p); exit.Code != 143 {
		t.Errorf("%+v", exit)
	}
	if _, _, err := fetch(t.Context(), "GET", "http://"+addr(spec), ""); err == nil {
		t.Error("the stopped task answers")
	}
}

func TestCommandGetsItsEnvironmentAndIsKilledWholly(t *testing.T) {
	t.Parallel()
	spec := task(t)
	dir := t.TempDir()
	spec.Env["OUT"] = filepath.Join(dir, "out")
	spec.Env["DB"] = "192.168.71.168:9000"
	spec.Cmd = `trap '' TERM; sleep 1000 & echo "$PORT $DB $!" > $OUT.tmp; mv $OUT.tmp $OUT; while :; do wait; done`
	l := launcher.Local{Dir: dir, Addresses: map[string]string{"192.168.71.168": "127.0.0.8"}}
	p := start(t, l, spec)
	var out string
	eventually(t, func(context.Context) error {
		b, err := os.ReadFile(spec.Env["OUT"])
		out = strings.TrimSpace(string(b))
		return err
	})
	want := strconv.Itoa(spec.Ports[0]) + " 127.0.0.8:9000 "
	child, ok := strings.CutPrefix(out, want)
	if !ok {
		t.Fatalf("%q instead of %q", out, want)
	}
	p.Stop(100 * time.Millisecond)
	if exit := awaitEnd(t, p); exit.Code != 137 || !strings.HasPrefix(exit.Message, "Command exited with status 137") {
		t.Errorf("%+v", exit)
	}
	eventually(t, func(context.Context) error {
		status, err := os.ReadFile("/proc/" + child + "/stat")
		if err == nil && !strings.Contains(string(status), ") Z ") {
			return fmt.Errorf("the child lives: %s", status)
		}
		return nil
	})
	if left, _ := filepath.Glob(dir + "/task*"); len(left) > 0 {
		t.Errorf("files are left: %q", left)
	}
}

func TestCommandThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	spec := task(t)
	spec.Cmd = "echo oops >&2; exit 3"
	p := start(t, launcher.Local{Dir: t.TempDir()}, spec)
	if exit := awaitEnd(t, p); exit.Code != 3 || exit.Message != "Command exited with status 3: oops" {
		t.Errorf("%+v", exit)
	}
}

func redisClient(address string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: address, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

func TestRedisAndTheAppThatUsesIt(t *testing.T) {
	t.Parallel()
	need(t, "redis-server")
	db := task(t)
	db.Image = "redis:3.0.3"
	l := launcher.Local{Dir: t.TempDir(), Addresses: map[string]string{"192.168.71.168": db.Address}}
	start(t, l, db)
	client := redisClient(addr(db))
	defer func() { _ = client.Close() }()
	eventually(t, func(ctx context.Context) error { return client.Ping(ctx).Err() })

	web := task(t)
	web.Address = "127.169.1.1" // an agent of its own
	web.ID = "web-1"
	web.URIs = []string{"https://github.com/andyyoung01/keys-values-app/archive/master.zip"}
	web.Cmd = "cd keys-values-app-master && bundle install --retry 3 && bundle exec ruby app.rb"
	web.Env = map[string]string{"PORT": strconv.Itoa(web.Ports[0]), "REDIS_HOST": "192.168.71.168", "REDIS_PORT": strconv.Itoa(db.Ports[0])}
	start(t, l, web)
	url := "http://" + addr(web)
	if r, body, err := fetch(t.Context(), "POST", url+"/keys/colour", "blue"); err != nil || r.StatusCode != http.StatusNoContent {
		t.Fatal(r, body, err)
	}
	if got, err := client.Get(t.Context(), "colour").Result(); err != nil || got != "blue" {
		t.Errorf("in redis: %q, %v", got, err)
	}
	if r, body, err := fetch(t.Context(), "GET", url+"/keys/colour", ""); err != nil || body != "blue" || r.Header.Get(launcher.HeaderTask) != "web-1" {
		t.Errorf("%v %q %v", r, body, err)
	}
	if _, body, err := fetch(t.Context(), "GET", url+"/", ""); err != nil || !strings.Contains(body, "redis: connected\nkey: colour\n") {
		t.Errorf("%q %v", body, err)
	}
	if r, _, err := fetch(t.Context(), "GET", url+"/keys/none", ""); err != nil || r.StatusCode != http.StatusNotFound {
		t.Error(r, err)
	}
}

func TestMariaDBAndTheSiteThatUsesIt(t *testing.T) {
	t.Parallel()
	need(t, "mariadbd")
	db := task(t)
	db.Image = "mysql"
	password := `my-secret-'pw\`
	db.Parameters = []launcher.Parameter{{Key: "env", Value: "MYSQL_ROOT_PASSWORD=" + password}}
	dir, err := os.MkdirTemp("", "db") //nolint:usetesting // the path of its socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if removeErr := os.Remove(dir); removeErr != nil {
			t.Errorf("files are left: %v", removeErr)
		}
	})
	l := launcher.Local{Dir: dir, Addresses: map[string]string{"192.168.71.168:10000": addr(db)}}
	p := start(t, l, db)

	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd = "tcp", addr(db), "root", password
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(connector)
	defer func() { _ = pool.Close() }()
	eventually(t, pool.PingContext)
	for _, statement := range []string{"CREATE DATABASE d", "CREATE TABLE d.t (n INT)", "INSERT INTO d.t VALUES (42)"} {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := pool.QueryRowContext(t.Context(), "SELECT n FROM d.t").Scan(&n); err != nil || n != 42 {
		t.Error(n, err)
	}

	site := task(t)
	site.Image = "wordpress"
	site.Parameters = []launcher.Parameter{
		{Key: "env", Value: "WORDPRESS_DB_PASSWORD=" + password}, {Key: "env", Value: "WORDPRESS_DB_HOST=192.168.71.168:10000"},
	}
	start(t, l, site)
	if _, body, err := fetch(t.Context(), "GET", "http://"+addr(site), ""); err != nil || !strings.Contains(body, "database: connected\n") {
		t.Errorf("%q %v", body, err)
	}
	p.Stop(deadline)
	if exit := awaitEnd(t, p); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
	if _, body, err := fetch(t.Context(), "GET", "http://"+addr(site), ""); err != nil || !strings.Contains(body, "database: error: ") {
		t.Errorf("%q %v", body, err)
	}
}
