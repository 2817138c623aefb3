package launcher

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// HeaderTask names the task that answered, in every HTTP answer of a server in
// this process.
const HeaderTask = "X-Task"

// InProcess makes every task a server inside this process, whatever its image
// and command. On each of its ports the task speaks two protocols.
//
// HTTP: every path answers 200 with the task in the header X-Task and a body of
// "key: value" lines (task, app, version, agent, port, method, path, host, and
// each X-Forwarded-… header), once the body has been read. The query "sleep=250ms" delays the answer,
// "status=503" changes the status, "header=Name:value" adds a header, "bytes=1000"
// appends so many bytes.
//
// Lines: when the first bytes are not those of a request, each line is answered
// by the task id, a space and the line.
//
// The zero value is ready.
type InProcess struct {
	// StopDelay is how long a task goes on accepting connections after SIGTERM,
	// as programs do that take time to stop. The grace period bounds it.
	StopDelay time.Duration
}

// Start implements [Launcher].
func (p InProcess) Start(_ context.Context, t Task) (Process, error) {
	answer := func(line string) string { return t.ID + " " + line }
	return serve(t.Listeners, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		describe(w, r, t, nil)
	}), answer, p.StopDelay, nil), nil
}

// describe writes who answered what.
func describe(w http.ResponseWriter, r *http.Request, t Task, more []string) {
	query := r.URL.Query()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if d, err := time.ParseDuration(query.Get("sleep")); err == nil {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set(HeaderTask, t.ID)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, h := range query["header"] {
		name, value, _ := strings.Cut(h, ":")
		w.Header().Add(name, value)
	}
	if status, err := strconv.Atoi(query.Get("status")); err == nil && status >= 200 && status < 600 {
		w.WriteHeader(status)
	}
	lines := []string{
		"task: " + t.ID, "app: " + t.App, "version: " + t.Version, "agent: " + t.Agent,
		"port: " + localPort(r), "method: " + r.Method, "path: " + r.URL.Path, "host: " + r.Host,
	}
	for _, h := range []string{"X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Host"} {
		if v := r.Header.Values(h); len(v) > 0 {
			lines = append(lines, strings.ToLower(h)+": "+strings.Join(v, ", "))
		}
	}
	lines = append(lines, more...)
	_, _ = fmt.Fprintln(w, strings.Join(lines, "\n")) // the client may have gone; nobody needs to know
	if n, err := strconv.Atoi(query.Get("bytes")); err == nil && n > 0 {
		_, _ = w.Write(make([]byte, min(n, 1<<26)))
	}
}

// localPort returns the port on which the request came in.
func localPort(r *http.Request) string {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	if !ok {
		return ""
	}
	s := addr.String()
	return s[strings.LastIndexByte(s, ':')+1:]
}
