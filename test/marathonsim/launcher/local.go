package launcher

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Local starts what comes nearest to a task on a machine without container
// images:
//
//   - image redis → redis-server, without persistence
//   - image mysql or mariadb → mariadbd on a new data directory, with the root
//     password of MYSQL_ROOT_PASSWORD
//   - image wordpress → a server in this process that names the task and says
//     whether it can log in to the database of WORDPRESS_DB_HOST
//   - the keys-and-values app of the tutorial, known by its uri or command → a
//     small web app that keeps its values in the Redis of REDIS_HOST and
//     REDIS_PORT and listens on PORT
//   - "python3 -m http.server" and every other image → the server of [InProcess]
//   - no image, but a command → the command, run by /bin/sh
//
// The zero value is ready.
type Local struct {
	// Addresses maps host addresses that documents name to those that stand for
	// them on this machine. They are replaced in the values of the environment and
	// in docker parameters; the documents stay what they are.
	Addresses map[string]string
	// Dir is where tasks get their directories; empty means the system's directory
	// for temporary files. The path should be short: MariaDB puts a Unix socket in
	// it, and those are limited to about 100 bytes.
	Dir string
	// StopDelay is that of [InProcess], for tasks inside this process.
	StopDelay time.Duration
}

// Start implements [Launcher].
func (l Local) Start(ctx context.Context, t Task) (Process, error) {
	env := environment(t, l.replacer())
	switch image := imageName(t.Image); {
	case image == "redis":
		return l.startRedis(t)
	case image == "mysql" || image == "mariadb":
		return l.startMariaDB(t, env)
	case image == "wordpress":
		return startWordPress(t, env, l.StopDelay), nil
	case isKeysAndValues(t):
		return startKeysAndValues(ctx, t, env, l.StopDelay)
	case t.Image == "" && (t.Cmd != "" || len(t.Args) > 0):
		return l.startCommand(t, env)
	}
	return InProcess{StopDelay: l.StopDelay}.Start(ctx, t)
}

// replacer returns the table of addresses, longest first, so that an address
// that is the beginning of another does not win.
func (l Local) replacer() *strings.Replacer {
	from := make([]string, 0, len(l.Addresses))
	for a := range l.Addresses {
		from = append(from, a)
	}
	slices.SortFunc(from, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(from))
	for _, a := range from {
		pairs = append(pairs, a, l.Addresses[a])
	}
	return strings.NewReplacer(pairs...)
}

// imageName returns the last part of an image's name, without registry and tag.
func imageName(image string) string {
	name, _, _ := strings.Cut(path.Base(image), "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

func (l Local) dir() (string, error) {
	dir, err := os.MkdirTemp(l.Dir, "task")
	if err != nil {
		return "", fmt.Errorf("make a directory for the task: %w", err)
	}
	return dir, nil
}

func (l Local) startRedis(t Task) (Process, error) {
	closeAll(t.Listeners)
	if len(t.Ports) == 0 {
		return nil, fmt.Errorf("start redis for %s: the task has no port", t.ID)
	}
	redis, err := find("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := l.dir()
	if err != nil {
		return nil, err
	}
	return run(dir, []command{{path: redis, dir: dir, env: os.Environ(), args: []string{
		"--bind", t.Address, "--port", strconv.Itoa(t.Ports[0]), "--protected-mode", "no",
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", dir,
	}}})
}

func (l Local) startCommand(t Task, env map[string]string) (Process, error) {
	closeAll(t.Listeners)
	dir, err := l.dir()
	if err != nil {
		return nil, err
	}
	c := command{path: "/bin/sh", args: []string{"-c", t.Cmd}, dir: dir, env: os.Environ()}
	if t.Cmd == "" {
		c.path, c.args = t.Args[0], t.Args[1:]
	}
	for k, v := range env {
		c.env = append(c.env, k+"="+v)
	}
	return run(dir, []command{c})
}

// listen opens a listener for a task that chooses its port itself.
func listen(ctx context.Context, address, port string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(address, port))
	if err != nil {
		return nil, fmt.Errorf("listen for the task: %w", err)
	}
	return l, nil
}

// writeError answers a request that could not be served.
func writeError(w http.ResponseWriter, status int, err error) {
	http.Error(w, err.Error(), status)
}
