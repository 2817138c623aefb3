package runtime

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Stat is one line of HAProxy's statistics (management guide, section 9.1).
// Counters that a line does not have are 0.
type Stat struct {
	// Proxy and Server are the names; Server is FRONTEND, BACKEND or the name of
	// a server or listener.
	Proxy, Server string
	// Status is HAProxy's word: UP, DOWN, "UP 1/2", MAINT, DRAIN, "no check",
	// OPEN …
	Status string
	// CheckStatus is the code of the last health check, such as L4OK, L7STS or
	// L4CON; empty without a check. A leading "* " says that a check is running.
	CheckStatus string
	// Sessions are the current sessions, Queued the requests waiting.
	Sessions, Queued int
	// Weight is the weight in use.
	Weight int
}

// Stats returns the statistics of one proxy, or of all when proxy is empty. A
// proxy that does not exist has no lines.
func (s *Socket) Stats(ctx context.Context, proxy string) ([]Stat, error) {
	command := "show stat"
	if proxy != "" {
		if strings.ContainsAny(proxy, " \t") {
			return nil, fmt.Errorf("%w: proxy name %.100q", ErrInvalidCommand, proxy)
		}
		command += " " + proxy + " -1 -1" // every type, every server
	}
	text, err := s.query(ctx, command)
	if err != nil {
		return nil, err
	}
	return parseStats(text)
}

// parseStats reads the CSV form of "show stat". Columns are found by their names,
// because every version adds some.
func parseStats(text string) ([]Stat, error) {
	header, body, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(header, "# pxname,svname,") {
		return nil, fmt.Errorf("%w: statistics begin with %.100q", ErrUnexpectedAnswer, header)
	}
	columns := strings.Split(strings.TrimPrefix(header, "# "), ",")
	reader := csv.NewReader(strings.NewReader(body))
	reader.LazyQuotes, reader.ReuseRecord, reader.FieldsPerRecord = true, true, -1
	var out []Stat
	for {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: statistics: %w", ErrUnexpectedAnswer, err)
		}
		r := row{columns: columns, fields: fields}
		st := Stat{
			Proxy: r.text("pxname"), Server: r.text("svname"), Status: r.text("status"),
			CheckStatus: r.text("check_status"), Sessions: count(&r, "scur"), Queued: count(&r, "qcur"),
			Weight: count(&r, "weight"),
		}
		if r.err != nil {
			return nil, fmt.Errorf("%w: statistics: %w", ErrUnexpectedAnswer, r.err)
		}
		out = append(out, st)
	}
}

// count reads a number that may be left out.
func count(r *row, column string) int {
	n, err := strconv.Atoi(r.text(column))
	if err != nil {
		return 0
	}
	return n
}

// Info is what a worker says about itself ("show info").
type Info struct {
	// PID is the worker's process id.
	PID int
	// Version is the version as HAProxy writes it, such as 2.6.12-1+deb12u4.
	Version string
	// UptimeSeconds is the age of the worker's configuration.
	UptimeSeconds int
	// Stopping says that the worker takes no new connections any more.
	Stopping bool
	// Connections are the current connections; MaxConnections their limit.
	Connections, MaxConnections int
	// FileLimit is the number of descriptors that HAProxy has reserved.
	FileLimit int
	// Tasks, Jobs and Listeners are HAProxy's own counts.
	Tasks, Jobs, Listeners int
}

// Info asks the worker about itself.
func (s *Socket) Info(ctx context.Context) (Info, error) {
	answers, err := s.Execute(ctx, []string{"show info"})
	if err == nil {
		err = answers[0].Err()
	}
	if err != nil {
		return Info{}, err
	}
	return parseInfo(answers[0].Text)
}

// OldWorkerInfo asks the worker with the given process id, also one that a reload
// has replaced, about itself. It needs a master socket.
func (s *Socket) OldWorkerInfo(ctx context.Context, pid int) (Info, error) {
	text, err := s.toMaster(ctx, fmt.Sprintf("@!%d show info", pid), CallTimeout)
	if err != nil {
		return Info{}, fmt.Errorf("worker %d: %w", pid, err)
	}
	return parseInfo(text)
}

func parseInfo(text string) (Info, error) {
	values := map[string]string{}
	for l := range strings.Lines(text) {
		if k, v, ok := strings.Cut(l, ":"); ok {
			values[k] = strings.TrimSpace(v)
		}
	}
	number := func(key string) int {
		n, err := strconv.Atoi(values[key])
		if err != nil {
			return 0
		}
		return n
	}
	info := Info{
		PID: number("Pid"), Version: values["Version"], UptimeSeconds: number("Uptime_sec"),
		Stopping: number("Stopping") != 0, Connections: number("CurrConns"), MaxConnections: number("Maxconn"),
		FileLimit: number("Ulimit-n"), Tasks: number("Tasks"), Jobs: number("Jobs"), Listeners: number("Listeners"),
	}
	if info.PID == 0 || info.Version == "" {
		return Info{}, fmt.Errorf("%w: information begins with %.100q", ErrUnexpectedAnswer, firstLine(text))
	}
	return info, nil
}
