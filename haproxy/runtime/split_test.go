package runtime

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"pgregory.net/rapid"
)

func TestSplitAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text     string
		commands []string
		want     []Answer
		err      error
	}{
		"an answer without an empty line after it is told from the next": {
			text:     "2.6.12\n\nServer deleted.\n2.6.12\n\n\n2.6.12\n\n",
			commands: []string{"del server b/a", "enable server b/c"},
			want: []Answer{
				{"del server b/a", SeverityUnknown, "Server deleted."}, {"enable server b/c", SeverityUnknown, ""},
			},
		},
		"what precedes the first marker is not an answer": {
			text:     "Unknown command, but maybe\n  quit : disconnect\n\n2.6.12\n\n\n2.6.12",
			commands: []string{"enable server b/c"},
			want:     []Answer{{"enable server b/c", SeverityUnknown, ""}},
		},
		"severities are taken off": {
			text:     "[6]: 2.6.12\n\n[3]: No such server.\n\n[6]: 2.6.12",
			commands: []string{"disable server b/c"},
			want:     []Answer{{"disable server b/c", 3, "No such server."}},
		},
		"an answer that was cut off is an error": {
			text: "2.6.12\n\nServer deleted.\n", commands: []string{"del server b/a"}, err: ErrIncomplete,
		},
		"a missing marker is an error": {
			text: "2.6.12\n\nServer deleted.\n2.6.12\n", commands: []string{"del server b/a", "del server b/b"}, err: ErrIncomplete,
		},
		"a worker that is not there is an error": {
			text: "Can't find the target\n\nCan't find the target\n\nCan't find the target\n", commands: []string{"x"}, err: ErrIncomplete,
		},
		"silence is an error": {commands: []string{"x"}, err: ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := splitAnswers(tc.text, tc.commands)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnswerErr(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule, command, raw string
		refused            bool
	}{
		{"a rating of 3 is a refusal", "set map a b c", "[3]: entry not found.", true},
		{"a rating of 4 is a warning", "set weight b/s 1", "[4]: careful", false},
		{"a rating of 6 is a success", "add server b/s 127.0.0.1:1", "[6]: New server registered.", false},
		{"an unknown command is refused though rated 6", "foo", "[6]: Unknown command, but maybe", true},
		{"add server has one good answer", "add server b/s 127.0.0.1:1", "New server registered.", false},
		{"add server: any other is a refusal", "add server b/s 127.0.0.1:1", "Already exists a server with the same name in backend.", true},
		{"del server has one good answer", "del server b/s", "Server deleted.", false},
		{"del server: any other is a refusal", "del server b/s", "Server still has connections attached to it, cannot remove it.", true},
		{"an address that changed is a success", "set server b/s addr 127.0.0.2", "IP changed from '127.0.0.1' to '127.0.0.2' by 'stats socket command'", false},
		{"an address that is the same is a success", "set server b/s addr 127.0.0.2 port 1", "no need to change the addr, no need to change the port by 'stats socket command'", false},
		{"set server: any other text is a refusal", "set server b/s weight 300", "Absolute weight can only be between 0 and 256 inclusive.", true},
		{"enable says nothing when it works", "enable health b/s", "health checks are not enabled on this server", true},
		{"silence is a success", "enable health b/s", "", false},
		{"a table is a success", "show servers state", serversAnswer, false},
		{"a sentence in place of a table is a refusal", "show servers state x", "Can't find backend.", true},
		{"missing rights are a refusal", "show anything", "Permission denied", true},
		{"other commands may say what they like", "commit map @1 m", "whatever", false},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			err := newAnswer(tc.command, tc.raw).Err()
			var refusal *CommandError
			if errors.As(err, &refusal) != tc.refused {
				t.Errorf("Err() = %v, want a refusal: %t", err, tc.refused)
			}
		})
	}
}

const serversAnswer = "1\n# be_id be_name srv_id\n"

func TestParseReload(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text  string
		log   string
		known bool
		err   error
	}{
		"success with log":    {"Success=1\n--\n[NOTICE] a\n[NOTICE] b\n", "[NOTICE] a\n[NOTICE] b", true, nil},
		"success without log": {"Success=1\n--", "", true, nil},
		"success alone":       {"Success=1", "", true, nil},
		"failure with log":    {"Success=0\n--\n[ALERT] a", "[ALERT] a", true, ErrReloadFailed},
		"silence":             {"", "", false, nil},
		"another answer":      {"Permission denied", "", true, ErrUnexpectedAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, known, err := parseReload(tc.text)
			if got.Log != tc.log || known != tc.known || !errors.Is(err, tc.err) {
				t.Errorf("parseReload = %q, %t, %v, want %q, %t, %v", got.Log, known, err, tc.log, tc.known, tc.err)
			}
		})
	}
}

// TestLines checks that batches keep all commands in order, and no line is longer
// than it may be, with what a master inserts.
func TestLines(t *testing.T) {
	t.Parallel()
	for _, s := range []*Socket{NewMasterSocket("", zap.NewNop()), NewStatsSocket("", zap.NewNop())} {
		rapid.Check(t, func(t *rapid.T) {
			lengths := rapid.SliceOf(rapid.IntRange(1, 11780)).Draw(t, "lengths")
			commands := make([]string, len(lengths))
			for i, n := range lengths {
				commands[i] = fmt.Sprintf("%0*d", n, i)
			}
			var got []string
			for _, batch := range s.batches(commands) {
				got = append(got, batch...)
				whole := "set severity-output number;" + s.line(batch) + ";quit\n"
				size := len(whole)
				if s.master {
					size += inserted * strings.Count(whole, s.workerPrefix())
				}
				if size > maxLine {
					t.Errorf("line of %d bytes", size)
				}
				if strings.Count(whole, marker) != len(batch)+1 {
					t.Errorf("%d markers for %d commands", strings.Count(whole, marker), len(batch))
				}
			}
			if !slices.Equal(got, commands) {
				t.Errorf("%d commands became %d, or their order changed", len(commands), len(got))
			}
		})
	}
}

func FuzzSplitAnswers(f *testing.F) {
	f.Add("2.6.12\n\nServer deleted.\n2.6.12\n", 1)
	f.Add("a\na\na", 2)
	f.Fuzz(func(t *testing.T, text string, n int) {
		commands := make([]string, max(0, n%100))
		answers, err := splitAnswers(text, commands)
		if err == nil && len(answers) != len(commands) {
			t.Errorf("%d answers to %d commands", len(answers), len(commands))
		}
	})
}

func FuzzParseStats(f *testing.F) {
	f.Add("# pxname,svname,qcur,scur,status,weight,check_status,\nb,s,0,1,UP,1,L4OK,\n")
	f.Add("# pxname,svname,\n\"a,b\",\"\"\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseStats(text); err != nil && !errors.Is(err, ErrUnexpectedAnswer) {
			t.Errorf("error %v is not ErrUnexpectedAnswer", err)
		}
	})
}
