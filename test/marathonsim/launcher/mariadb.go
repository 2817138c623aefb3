package launcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// startMariaDB makes a data directory and starts a server on it that root can
// reach over TCP with the password of MYSQL_ROOT_PASSWORD, from every address,
// as the image of the same name arranges it.
func (l Local) startMariaDB(t Task, env map[string]string) (Process, error) {
	closeAll(t.Listeners)
	if len(t.Ports) == 0 {
		return nil, fmt.Errorf("start mariadb for %s: the task has no port", t.ID)
	}
	install, err := find("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	server, err := find("mariadbd")
	if err != nil {
		return nil, err
	}
	dir, err := l.dir()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	setup := filepath.Join(dir, "setup.sql")
	if err := os.WriteFile(setup, []byte(setupSQL(env)), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", setup, err), os.RemoveAll(dir))
	}
	// The small sizes matter: the data directory is made anew for each task.
	common := []string{
		"--no-defaults", "--datadir=" + data, "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M",
	}
	if os.Getuid() == 0 {
		common = append(common, "--user=root") // the server refuses to run as root unless told so
	}
	environ := append(os.Environ(), "TMPDIR="+dir) // a server that is killed leaves temporary tables behind
	return run(dir, []command{
		{path: install, dir: dir, env: environ, args: append(slices.Clip(common),
			"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")},
		{path: server, dir: dir, env: environ, args: append(slices.Clip(common),
			"--bind-address="+t.Address, "--port="+strconv.Itoa(t.Ports[0]),
			"--socket="+filepath.Join(dir, "s"), "--pid-file="+filepath.Join(dir, "pid"),
			"--init-file="+setup, "--skip-name-resolve", "--skip-log-bin",
			"--performance-schema=OFF", "--key-buffer-size=1M")},
	})
}

// setupSQL returns what the server runs before it accepts connections.
func setupSQL(env map[string]string) string {
	password := quoteSQL(env["MYSQL_ROOT_PASSWORD"])
	statements := []string{
		"ALTER USER 'root'@'localhost' IDENTIFIED BY " + password,
		"CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY " + password,
		"GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION",
		// A new data directory also has nameless users and root without password at
		// 127.0.0.1, which would go before root at every address.
		"DELETE FROM mysql.global_priv WHERE User = '' OR Host NOT IN ('localhost', '%')",
	}
	if name := env["MYSQL_DATABASE"]; name != "" {
		statements = append(statements, "CREATE DATABASE IF NOT EXISTS `"+strings.ReplaceAll(name, "`", "``")+"`")
	}
	statements = append(statements, "FLUSH PRIVILEGES")
	return strings.Join(statements, ";\n") + ";\n"
}

func quoteSQL(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`).Replace(s) + "'"
}
