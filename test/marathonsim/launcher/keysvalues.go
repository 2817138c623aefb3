package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// maxValue bounds a value in bytes.
const maxValue = 1 << 20

// isKeysAndValues reports whether the task is the tutorial's Ruby app, of which
// the archive cannot be fetched.
func isKeysAndValues(t Task) bool {
	if strings.Contains(t.Cmd, "keys-values-app") {
		return true
	}
	return slices.ContainsFunc(t.URIs, func(u string) bool { return strings.Contains(u, "keys-values-app") })
}

// keysAndValues is a web app that stores values under keys.
type keysAndValues struct {
	task  Task
	redis *redis.Client
}

// startKeysAndValues starts the app on PORT of the agent. Each agent has an
// address of its own here, so that tasks on different agents may share the port,
// as with host networking.
func startKeysAndValues(ctx context.Context, t Task, env map[string]string, stopDelay time.Duration) (Process, error) {
	closeAll(t.Listeners) // the app binds PORT, whatever Marathon thinks
	port := env["PORT"]
	if port == "" {
		return nil, fmt.Errorf("start %s: PORT is not set", t.ID)
	}
	l, err := listen(ctx, t.Address, port)
	if err != nil {
		return nil, err
	}
	host, redisPort := env["REDIS_HOST"], env["REDIS_PORT"]
	if host == "" {
		host = "localhost"
	}
	if redisPort == "" {
		redisPort = "6379"
	}
	app := &keysAndValues{task: t, redis: redis.NewClient(&redis.Options{
		Addr:                     net.JoinHostPort(host, redisPort),
		DialTimeout:              2 * time.Second,
		ReadTimeout:              2 * time.Second,
		MaxRetries:               -1, // a page says at once what is wrong
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DisableIdentity:          true,
	})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", app.list)
	mux.HandleFunc("GET /keys/{key}", app.get)
	mux.HandleFunc("PUT /keys/{key}", app.set)
	mux.HandleFunc("POST /keys/{key}", app.set)
	mux.HandleFunc("DELETE /keys/{key}", app.remove)
	return serve([]net.Listener{l}, mux, nil, stopDelay, func() {
		_ = app.redis.Close() // the connections go with the task
	}), nil
}

// list names the task, the state of Redis and all keys.
func (a *keysAndValues) list(w http.ResponseWriter, r *http.Request) {
	keys, err := a.redis.Keys(r.Context(), "*").Result()
	if err != nil {
		describe(w, r, a.task, []string{"redis: error: " + err.Error()})
		return
	}
	slices.Sort(keys)
	lines := []string{"redis: connected"}
	for _, k := range keys {
		lines = append(lines, "key: "+k)
	}
	describe(w, r, a.task, lines)
}

func (a *keysAndValues) get(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(HeaderTask, a.task.ID)
	value, err := a.redis.Get(r.Context(), r.PathValue("key")).Result()
	switch {
	case errors.Is(err, redis.Nil):
		http.NotFound(w, r)
	case err != nil:
		writeError(w, http.StatusBadGateway, err)
	default:
		_, _ = io.WriteString(w, value)
	}
}

// set stores the body.
func (a *keysAndValues) set(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(HeaderTask, a.task.ID)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	if err != nil {
		writeError(w, http.StatusRequestEntityTooLarge, err)
		return
	}
	if err := a.redis.Set(r.Context(), r.PathValue("key"), body, 0).Err(); err != nil {
		writeError(w, http.StatusBadGateway, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *keysAndValues) remove(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(HeaderTask, a.task.ID)
	if err := a.redis.Del(r.Context(), r.PathValue("key")).Err(); err != nil {
		writeError(w, http.StatusBadGateway, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
