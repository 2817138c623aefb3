package runtime

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Processes is what the master says about itself and its workers ("show proc",
// management guide, section 9.4).
type Processes struct {
	// Master is the master's process id.
	Master int
	// Version is the master's version.
	Version string
	// Reloads is how often the master was asked to load its configuration anew.
	Reloads int
	// FailedReloads is how many of the latest reloads failed in a row; a good one
	// resets it to 0.
	FailedReloads int
	// Workers are the current workers: one, unless HAProxy is starting or stopping.
	// After a failed reload some versions list the serving worker among the old.
	Workers []Worker
	// OldWorkers are those that finish their sessions.
	OldWorkers []Worker
}

// Worker is one worker process.
type Worker struct {
	// PID is the process id.
	PID int
	// Reloads is how many reloads it has lived through.
	Reloads int
	// Age is how long ago it was started, in whole seconds.
	Age time.Duration
}

// PIDs returns all process ids: master, workers, old workers.
func (p Processes) PIDs() []int {
	pids := []int{p.Master}
	for _, w := range p.Workers {
		pids = append(pids, w.PID)
	}
	for _, w := range p.OldWorkers {
		pids = append(pids, w.PID)
	}
	return pids
}

// Processes asks the master for its processes. It needs a master socket.
func (s *Socket) Processes(ctx context.Context) (Processes, error) {
	text, err := s.toMaster(ctx, "show proc", CallTimeout)
	if err != nil {
		return Processes{}, err
	}
	return ParseProcesses(text)
}

// ParseProcesses reads the answer to "show proc". An error wraps
// [ErrUnexpectedAnswer].
func ParseProcesses(text string) (Processes, error) {
	var p Processes
	old := false
	for l := range strings.Lines(text) {
		fields := strings.Fields(l)
		switch {
		case len(fields) == 0:
		case strings.HasPrefix(l, "#"):
			old = strings.HasPrefix(l, "# old ")
		case len(fields) < 2:
			return Processes{}, fmt.Errorf("%w: process %.200q", ErrUnexpectedAnswer, strings.TrimSpace(l))
		case fields[1] == "master":
			if err := p.parseMaster(l, fields); err != nil {
				return Processes{}, fmt.Errorf("%w: master %.200q: %w", ErrUnexpectedAnswer, strings.TrimSpace(l), err)
			}
		case fields[1] == "worker":
			w, err := parseWorker(l, fields)
			if err != nil {
				return Processes{}, fmt.Errorf("%w: worker %.200q: %w", ErrUnexpectedAnswer, strings.TrimSpace(l), err)
			}
			if old {
				p.OldWorkers = append(p.OldWorkers, w)
			} else {
				p.Workers = append(p.Workers, w)
			}
		}
	}
	if p.Master == 0 {
		return Processes{}, fmt.Errorf("%w: processes begin with %.100q", ErrUnexpectedAnswer, firstLine(text))
	}
	return p, nil
}

func (p *Processes) parseMaster(line string, fields []string) error {
	w, err := parseWorker(line, fields)
	if err != nil {
		return err
	}
	p.Master, p.Reloads = w.PID, w.Reloads
	if _, rest, ok := strings.Cut(line, "[failed:"); ok {
		n, _, _ := strings.Cut(rest, "]")
		if p.FailedReloads, err = strconv.Atoi(strings.TrimSpace(n)); err != nil {
			return fmt.Errorf("failed reloads: %w", err)
		}
	}
	if m := uptimePattern.FindStringIndex(line); m != nil {
		p.Version = strings.TrimSpace(line[m[1]:])
	}
	return nil
}

func parseWorker(line string, fields []string) (Worker, error) {
	if len(fields) < 3 {
		return Worker{}, fmt.Errorf("%d columns", len(fields))
	}
	pid, err := strconv.Atoi(fields[0])
	if err != nil {
		return Worker{}, fmt.Errorf("process id: %w", err)
	}
	if pid <= 1 {
		return Worker{}, fmt.Errorf("process id %d", pid)
	}
	reloads, err := strconv.Atoi(fields[2])
	if err != nil {
		return Worker{}, fmt.Errorf("reloads: %w", err)
	}
	return Worker{PID: pid, Reloads: reloads, Age: parseAge(line)}, nil
}

// uptimePattern matches an age as "show proc" writes it: 1d02h03m04s.
var uptimePattern = regexp.MustCompile(`\b(\d{1,5})d(\d\d)h(\d\d)m(\d\d)s`)

func parseAge(line string) time.Duration {
	m := uptimePattern.FindStringSubmatch(line)
	if m == nil {
		return 0
	}
	var age time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, err := strconv.Atoi(m[i+1])
		if err != nil {
			return 0
		}
		age += time.Duration(n) * unit
	}
	return age
}
