package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrUnexpectedAnswer says that HAProxy's answer does not have the expected form.
var ErrUnexpectedAnswer = errors.New("unexpected answer from haproxy")

// OperationalState is what HAProxy's checks and commands have made of a server
// (management guide, "show servers state").
type OperationalState int

// The operational states, numbered as HAProxy does.
const (
	// Stopped servers get no traffic: a check failed or they are in maintenance.
	Stopped OperationalState = iota
	// Starting servers get traffic, growing with time ("slowstart").
	Starting
	// Running servers get traffic.
	Running
	// Stopping servers get only sessions that belong to them already.
	Stopping
)

// AdminState is a set of reasons why an operator or the configuration keeps a
// server out of rotation. Zero means none.
type AdminState uint

// The bits of AdminState, as HAProxy numbers them.
const (
	// ForcedMaintenance was ordered by a command.
	ForcedMaintenance AdminState = 1 << iota
	// InheritedMaintenance comes from a server that this one tracks.
	InheritedMaintenance
	// ConfiguredMaintenance remembers that the configuration says "disabled". It
	// stays when a command has put the server into rotation and keeps nothing out of
	// it: while the server is disabled, ForcedMaintenance is set too.
	ConfiguredMaintenance
	// ForcedDrain was ordered by a command.
	ForcedDrain
	// InheritedDrain comes from a server that this one tracks.
	InheritedDrain
	// ResolutionMaintenance means that the server's name has no address.
	ResolutionMaintenance
	// HostNameSet means that a command changed the server's host name. It keeps
	// nothing out of rotation.
	HostNameSet
)

// Maintenance reports whether the server gets no new session at all.
func (a AdminState) Maintenance() bool {
	return a&(ForcedMaintenance|InheritedMaintenance|ResolutionMaintenance) != 0
}

// Draining reports whether the server gets only sessions that belong to it already.
func (a AdminState) Draining() bool { return a&(ForcedDrain|InheritedDrain) != 0 }

// CheckResult is the outcome of a server's last health check.
type CheckResult int

// The outcomes, numbered as HAProxy does.
const (
	// CheckUnknown means that no check has finished.
	CheckUnknown CheckResult = iota
	// CheckNeutral means that the check had no result.
	CheckNeutral
	// CheckFailed means that the check failed.
	CheckFailed
	// CheckPassed means that the check passed.
	CheckPassed
	// CheckPassedConditionally means passed, but no new sessions wanted.
	CheckPassedConditionally
)

// Bits of the check state, as HAProxy numbers them.
const (
	checkConfigured = 0x02
	checkEnabled    = 0x04
	checkPaused     = 0x08
)

// ServerState is one server as HAProxy has it.
type ServerState struct {
	// Backend and Name are the names of section and server.
	Backend, Name string
	// ID is the server's numeric id, unique in its backend.
	ID int
	// Address is the IP address, or empty when HAProxy has none.
	Address string
	// Port is 0 when the server has none.
	Port int
	// Operational is the state that checks and commands have led to.
	Operational OperationalState
	// Admin are the reasons that keep the server out of rotation.
	Admin AdminState
	// Weight is the weight in use, 0 to 256; InitialWeight that of the
	// configuration.
	Weight, InitialWeight int
	// CheckConfigured says that the server has a health check; CheckEnabled that
	// the check runs (a paused one does not).
	CheckConfigured, CheckEnabled bool
	// Check is the outcome of the last health check.
	Check CheckResult
	// Since is how long the server has been in its operational state, in whole
	// seconds.
	Since time.Duration
}

// InRotation reports whether HAProxy gives the server new sessions (if its weight
// is not zero).
func (s ServerState) InRotation() bool {
	return (s.Operational == Running || s.Operational == Starting) && !s.Admin.Maintenance() && !s.Admin.Draining()
}

// Change is Execute, and what Servers then says about the backends, which must be some, and
// must not have more than some hundred servers: asked over the same connection if all of it
// fits one line. answered is the error of Execute, err that of Servers.
func (s *Socket) Change(ctx context.Context, commands []string, backends ...string) (answers []Answer, servers []ServerState, answered, err error) {
	questions, err := showServers(backends)
	if err != nil {
		return nil, nil, err, err
	}
	together := slices.Concat(commands, questions)
	if len(s.batches(together)) == 1 {
		if answers, answered = s.execute(ctx, together, noSecond); answered == nil {
			if servers, err = readServers(answers[len(commands):]); err == nil {
				return answers[:len(commands)], servers, nil, nil
			}
			answers = answers[:len(commands)]
		}
	} else {
		answers, answered = s.Execute(ctx, commands)
	}
	servers, err = s.Servers(ctx, backends...)
	return answers, servers, answered, err
}

// Servers returns the servers of the given backends, or of all of them when none is
// given, in HAProxy's order. A backend that does not exist gives a [*CommandError];
// a backend without servers gives none.
func (s *Socket) Servers(ctx context.Context, backends ...string) ([]ServerState, error) {
	questions, err := showServers(backends)
	if err != nil {
		return nil, err
	}
	if len(questions) == 0 {
		questions = append(questions, "show servers state")
	}
	answers, err := s.ask(ctx, questions)
	if err != nil {
		return nil, err
	}
	return readServers(answers)
}

// showServers returns the questions for the servers of backends.
func showServers(backends []string) ([]string, error) {
	questions := make([]string, len(backends), max(1, len(backends)))
	for i, b := range backends {
		if b == "" || strings.ContainsAny(b, " \t") {
			return nil, fmt.Errorf("%w: backend name %.100q", ErrInvalidCommand, b)
		}
		questions[i] = "show servers state " + b
	}
	return questions, nil
}

// readServers reads the answers to questions for servers.
func readServers(answers []Answer) ([]ServerState, error) {
	if err := Refused(answers); err != nil {
		return nil, err
	}
	var out []ServerState
	for _, a := range answers {
		servers, err := ParseServers(a.Text)
		if err != nil {
			return nil, err
		}
		out = append(out, servers...)
	}
	return out, nil
}

// ParseServers reads the answer to "show servers state", which is also the format
// of a server-state file: a version line, a line of column names, one line for each
// server. An error wraps [ErrUnexpectedAnswer].
func ParseServers(text string) ([]ServerState, error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if strings.TrimSpace(lines[0]) != "1" || len(lines) < 2 || !strings.HasPrefix(lines[1], "# ") {
		return nil, fmt.Errorf("%w: servers state begins with %.100q", ErrUnexpectedAnswer, lines[0])
	}
	columns := strings.Fields(lines[1])[1:]
	var out []ServerState
	for _, l := range lines[2:] {
		if strings.TrimSpace(l) == "" {
			continue
		}
		s, err := parseServer(columns, strings.Fields(l))
		if err != nil {
			return nil, fmt.Errorf("%w: server %.200q: %w", ErrUnexpectedAnswer, l, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func parseServer(columns, fields []string) (ServerState, error) {
	r := row{columns: columns, fields: fields}
	s := ServerState{
		Backend:       r.text("be_name"),
		Name:          r.text("srv_name"),
		ID:            r.number("srv_id"),
		Address:       r.text("srv_addr"),
		Port:          r.number("srv_port"),
		Operational:   OperationalState(r.number("srv_op_state")),
		Admin:         AdminState(uint(max(0, r.number("srv_admin_state")))),
		Weight:        r.number("srv_uweight"),
		InitialWeight: r.number("srv_iweight"),
		Check:         CheckResult(r.number("srv_check_result")),
		Since:         time.Duration(r.number("srv_time_since_last_change")) * time.Second,
	}
	if s.Address == "-" {
		s.Address = ""
	}
	check := r.number("srv_check_state")
	s.CheckConfigured = check&checkConfigured != 0
	s.CheckEnabled = check&checkEnabled != 0 && check&checkPaused == 0
	return s, r.err
}

// row is one line of a table with named columns. The first problem is kept.
type row struct {
	columns, fields []string
	err             error
}

func (r *row) text(column string) string {
	for i, c := range r.columns {
		if c == column && i < len(r.fields) {
			return r.fields[i]
		}
	}
	if r.err == nil {
		r.err = fmt.Errorf("no column %s", column)
	}
	return ""
}

func (r *row) number(column string) int {
	t := r.text(column)
	if r.err != nil {
		return 0
	}
	n, err := strconv.Atoi(t)
	if err != nil {
		r.err = fmt.Errorf("column %s is %q", column, t)
	}
	return n
}
