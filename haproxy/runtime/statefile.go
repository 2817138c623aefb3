package runtime

import (
	"context"
	"strings"
)

// StateFile returns the text of a server-state file (HAProxy's manual,
// server-state-file) with the servers that keep wants. HAProxy's answer is used line
// by line. Errors are those of Servers.
func (s *Socket) StateFile(ctx context.Context, keep func(ServerState) bool) (string, error) {
	answers, err := s.ask(ctx, []string{"show servers state"})
	if err != nil {
		return "", err
	}
	if err := Refused(answers); err != nil {
		return "", err
	}
	return filterStates(answers[0].Text, keep)
}

// EmptyStateFile is a server-state file without servers.
const EmptyStateFile = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
	"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
	"bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr " +
	"srv_agent_addr srv_agent_port\n"

func filterStates(text string, keep func(ServerState) bool) (string, error) {
	states, err := ParseServers(text)
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	out := []string{lines[0], lines[1]}
	next := 0
	for _, line := range lines[2:] {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if keep(states[next]) {
			out = append(out, line)
		}
		next++
	}
	return strings.Join(out, "\n") + "\n", nil
}
