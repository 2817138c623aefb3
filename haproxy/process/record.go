package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// writeRecord notes HAProxy's processes in a file, the master first, so that a later
// mlb knows them even when the master has gone.
func writeRecord(path string, ids []identity) error {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "%d %d %s\n", id.pid, id.start, id.name)
	}
	// Renamed, so that it is never read half written; not synced, as it says nothing
	// after a crash of the machine.
	if err := os.WriteFile(path+".new", []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("note processes: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("note processes: %w", err)
	}
	return nil
}

// answered reports whether a noted master has ever answered: it is noted without workers
// until then.
func answered(recorded []identity) bool { return len(recorded) > 1 }

// readRecord returns the noted processes, the master first, whether they live or not.
// No file means none; a line that makes no sense is left out.
func readRecord(path string) ([]identity, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("noted processes: %w", err)
	}
	return parseRecord(string(b)), nil
}

// stillThere returns those of the noted processes that live under the same name. The
// name is compared because the machine may have been started anew since. A script that
// was noted before it executed HAProxy is told by the socket in its command line.
func (p *Process) stillThere(recorded []identity) []identity {
	var out []identity
	for _, id := range recorded {
		if now, ok := identify(id.pid); ok && now.start == id.start && (now.name == id.name || p.listensFor(id.pid)) {
			out = append(out, id)
		}
	}
	return out
}

// listensFor reports whether the command line of a process is that of our master.
func (p *Process) listensFor(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(line), "\x00"+p.masterArgument()+"\x00")
}

func parseRecord(text string) []identity {
	var out []identity
	for line := range strings.Lines(text) {
		pid, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		start, name, _ := strings.Cut(rest, " ")
		id, errPID := strconv.Atoi(pid)
		began, errStart := strconv.ParseUint(start, 10, 64)
		if errPID != nil || errStart != nil || id <= 1 || name == "" {
			continue
		}
		out = append(out, identity{pid: id, start: began, name: name})
	}
	return out
}
