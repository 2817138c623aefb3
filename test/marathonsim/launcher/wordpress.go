package launcher

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/go-sql-driver/mysql"
)

// startWordPress serves a page that names the task and the state of its
// database. The database is asked on every request, as a page of WordPress does.
func startWordPress(t Task, env map[string]string, stopDelay time.Duration) Process {
	host := env["WORDPRESS_DB_HOST"]
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host == "" {
			describe(w, r, t, []string{"database: none"})
			return
		}
		state := "connected"
		if err := reachDatabase(r.Context(), host, env); err != nil {
			state = "error: " + err.Error()
		}
		describe(w, r, t, []string{"database: " + state, "database host: " + host})
	})
	return serve(t.Listeners, handler, nil, stopDelay, nil)
}

// reachDatabase logs in and asks for something.
func reachDatabase(ctx context.Context, host string, env map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	config := mysql.NewConfig()
	config.Net = "tcp"
	config.Addr = host
	if _, _, err := net.SplitHostPort(host); err != nil {
		config.Addr = net.JoinHostPort(host, "3306")
	}
	config.User = "root"
	if user := env["WORDPRESS_DB_USER"]; user != "" {
		config.User = user
	}
	config.Passwd = env["WORDPRESS_DB_PASSWORD"]
	config.Logger = log.New(io.Discard, "", 0)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	var one int
	if err := db.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}
