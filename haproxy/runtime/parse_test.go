package runtime_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy/runtime"
)

const serversHeader = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
	"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
	"bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"

func TestParseServers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want []runtime.ServerState
		err  error
	}{
		"a server that failed its check is stopped but not in maintenance": {
			text: serversHeader + "3 b 1 a 127.0.0.1 0 0 1 1 75 8 2 0 6 0 0 0 - 1 - 0 0 - - 0\n",
			want: []runtime.ServerState{{
				Backend: "b", Name: "a", ID: 1, Address: "127.0.0.1", Port: 1, Weight: 1, InitialWeight: 1,
				CheckConfigured: true, CheckEnabled: true, Check: runtime.CheckFailed, Since: 75 * time.Second,
			}},
		},
		"a new dynamic server is in forced maintenance with its check off": {
			text: serversHeader + "3 b 2 n 127.0.0.1 0 1 1 1 0 1 0 0 2 0 0 0 - 2 - 0 0 - - 0\n",
			want: []runtime.ServerState{{
				Backend: "b", Name: "n", ID: 2, Address: "127.0.0.1", Port: 2, Weight: 1, InitialWeight: 1,
				Admin: runtime.ForcedMaintenance, CheckConfigured: true,
			}},
		},
		"a server without address has none": {
			text: serversHeader + "3 b 2 n - 2 0 1 1 0 1 0 0 0 0 0 0 - 80 - 0 0 - - 0\n",
			want: []runtime.ServerState{{
				Backend: "b", Name: "n", ID: 2, Port: 80, Weight: 1, InitialWeight: 1, Operational: runtime.Running,
			}},
		},
		"columns are found by name, whatever a later version adds": {
			text: "1\n# srv_new be_name srv_id srv_name srv_addr srv_port srv_op_state srv_admin_state srv_uweight srv_iweight " +
				"srv_time_since_last_change srv_check_result srv_check_state\nx b 2 n ::1 80 2 0 10 1 0 0 0\n",
			want: []runtime.ServerState{{
				Backend: "b", Name: "n", ID: 2, Address: "::1", Port: 80, Weight: 10, InitialWeight: 1,
				Operational: runtime.Running,
			}},
		},
		"a backend without servers has none":        {text: serversHeader},
		"another format version is refused":         {text: strings.Replace(serversHeader, "1", "2", 1), err: runtime.ErrUnexpectedAnswer},
		"a line that ends early is refused":         {text: serversHeader + "3 b 2 n\n", err: runtime.ErrUnexpectedAnswer},
		"a word in place of a number is refused":    {text: serversHeader + "3 b x n - 2 0 1 1 0 1 0 0 0 0 0 0 - 80 - 0 0 - - 0\n", err: runtime.ErrUnexpectedAnswer},
		"a message in place of a table is refused":  {text: "Can't find backend.", err: runtime.ErrUnexpectedAnswer},
		"no answer in place of a table is refused ": {err: runtime.ErrUnexpectedAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := runtime.ParseServers(tc.text)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("servers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServerStateInRotation(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server runtime.ServerState
		want   bool
	}{
		"running":                  {runtime.ServerState{Operational: runtime.Running}, true},
		"slow start":               {runtime.ServerState{Operational: runtime.Starting}, true},
		"stopped":                  {runtime.ServerState{Operational: runtime.Stopped}, false},
		"stopping":                 {runtime.ServerState{Operational: runtime.Stopping}, false},
		"maintenance":              {runtime.ServerState{Operational: runtime.Running, Admin: runtime.ForcedMaintenance}, false},
		"disabled in the file":     {runtime.ServerState{Operational: runtime.Running, Admin: runtime.ForcedMaintenance | runtime.ConfiguredMaintenance}, false},
		"enabled again":            {runtime.ServerState{Operational: runtime.Running, Admin: runtime.ConfiguredMaintenance}, true},
		"drain":                    {runtime.ServerState{Operational: runtime.Running, Admin: runtime.ForcedDrain}, false},
		"host name set by command": {runtime.ServerState{Operational: runtime.Running, Admin: runtime.HostNameSet}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.server.InRotation(); got != tc.want {
				t.Errorf("InRotation() = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestParseProcesses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/show-proc/2.6-failed.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		text string
		want runtime.Processes
		err  error
	}{
		"failures, current and old workers are told apart": {
			text: string(text),
			want: runtime.Processes{
				Master: 11190, Version: "2.6.12-1+deb12u4", Reloads: 3, FailedReloads: 2,
				Workers:    []runtime.Worker{{PID: 11479, Reloads: 2, Age: 2*time.Minute + 34*time.Second}},
				OldWorkers: []runtime.Worker{{PID: 11253, Reloads: 3, Age: 26*time.Hour + 2*time.Second}},
			},
		},
		"programs are no workers": {
			text: "1162 master 5 [failed: 0] 0d00h02m07s 3.0.2\n# workers\n1271 worker 1 0d00h00m00s 3.0.2\n# programs\n1244 foo 0 0d00h00m00s -\n",
			want: runtime.Processes{
				Master: 1162, Version: "3.0.2", Reloads: 5, Workers: []runtime.Worker{{PID: 1271, Reloads: 1}},
			},
		},
		"a master without workers is one": {
			text: "1162 master 5 [failed: 1] 0d00h02m07s 3.0.2\n# workers\n# programs\n",
			want: runtime.Processes{Master: 1162, Version: "3.0.2", Reloads: 5, FailedReloads: 1},
		},
		"no master is refused":      {text: "# workers\n1271 worker 1 0d00h00m00s 3.0.2\n", err: runtime.ErrUnexpectedAnswer},
		"no number is refused":      {text: "x master 1 0d00h00m00s 3.0.2\n", err: runtime.ErrUnexpectedAnswer},
		"process id 1 is refused":   {text: "1 worker 1 0d00h00m00s 3.0.2\n", err: runtime.ErrUnexpectedAnswer},
		"a cut line is refused":     {text: "5 master\n", err: runtime.ErrUnexpectedAnswer},
		"another answer is refused": {text: "Unknown command", err: runtime.ErrUnexpectedAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := runtime.ParseProcesses(tc.text)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("processes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		command string
		ok      bool
	}{
		"an ordinary command passes":     {"add server b/s [::1]:80 check inter 2s", true},
		"64 words pass":                  {strings.Repeat("a ", 64), true},
		"65 words are refused":           {strings.Repeat("a ", 65), false},
		"nothing is refused":             {" ", false},
		"a line feed is refused":         {"add server b/s 127.0.0.1:1\ndisable frontend f", false},
		"a carriage return is refused":   {"show info\r", false},
		"a tab is refused":               {"show\tinfo", false},
		"NUL is refused":                 {"show info\x00", false},
		"a semicolon is refused":         {"show info;show stat", false},
		"a backslash is refused":         {`set map m k a\ b`, false},
		"non-ASCII is refused":           {"show servers state é", false},
		"another process is refused":     {"@!1 show info", false},
		"a payload is refused":           {"add map m <<", false},
		"the end of session is refused":  {"quit", false},
		"prompt mode is refused":         {"prompt", false},
		"the marker is refused":          {"show  version", false},
		"what fits no line is refused":   {"show " + strings.Repeat("a", 12000), false},
		"what just fits a line can pass": {"show " + strings.Repeat("a", 11780), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := runtime.Validate(tc.command)
			if (err == nil) != tc.ok {
				t.Errorf("Validate = %v, want ok %t", err, tc.ok)
			}
			if err != nil && !errors.Is(err, runtime.ErrInvalidCommand) {
				t.Errorf("%v does not wrap ErrInvalidCommand", err)
			}
		})
	}
}

func TestParseMap(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want []runtime.MapEntry
		bad  bool
	}{
		"nothing":               {text: "\n"},
		"entries":               {text: "0x55d0 a.example| a_1\n0x55e0 b|/x b_2\n", want: []runtime.MapEntry{{Key: "a.example|", Value: "a_1"}, {Key: "b|/x", Value: "b_2"}}},
		"a value with blanks":   {text: "0x1 k a b\n", want: []runtime.MapEntry{{Key: "k", Value: "a b"}}},
		"what is no entry":      {text: "Unknown map identifier.\n", bad: true},
		"an entry without more": {text: "0x1 k\n", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := runtime.ParseMap(tt.text)
			if errors.Is(err, runtime.ErrUnexpectedAnswer) != tt.bad {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseServers(f *testing.F) {
	f.Add(serversHeader + "3 b 1 a 127.0.0.1 0 0 1 1 75 8 2 0 6 0 0 0 - 1 - 0 0 - - 0\n")
	f.Add("1\n# srv_id\n1\n")
	f.Add("1\n# \n")
	f.Fuzz(func(t *testing.T, text string) {
		servers, err := runtime.ParseServers(text)
		if err != nil && !errors.Is(err, runtime.ErrUnexpectedAnswer) {
			t.Errorf("error %v is not ErrUnexpectedAnswer", err)
		}
		if len(servers) > strings.Count(text, "\n") {
			t.Errorf("%d servers from %d lines", len(servers), strings.Count(text, "\n"))
		}
		for _, s := range servers {
			if s.Name != strings.TrimSpace(s.Name) {
				t.Errorf("server name %q", s.Name)
			}
		}
	})
}

func FuzzParseProcesses(f *testing.F) {
	f.Add("1162 master 5 [failed: 0] 0d00h02m07s 3.0.2\n# workers\n1271 worker 1 0d00h00m00s 3.0.2\n# old workers\n5 worker 1 9d00h00m00s 3.0.2\n")
	f.Add("5 master 0 [failed: x]\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := runtime.ParseProcesses(text)
		if err != nil {
			if !errors.Is(err, runtime.ErrUnexpectedAnswer) {
				t.Errorf("error %v is not ErrUnexpectedAnswer", err)
			}
			return
		}
		for _, pid := range p.PIDs() {
			if pid <= 1 { // a signal to it would reach more than one process
				t.Errorf("process id %d in %s", pid, fmt.Sprint(p))
			}
		}
	})
}
