package stage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/test/bench/stage"
)

func TestNotesAreReadFromEvents(t *testing.T) {
	t.Parallel()
	got, err := stage.ReadNote([]byte(`{"appId":"/cart","taskId":"cart.1","taskStatus":"TASK_RUNNING","ipAddresses":[{"ipAddress":"127.1.1.1","protocol":"IPv4"}]}` + "\r\n"))
	want := stage.Note{App: "/cart", Task: "cart.1", State: stage.StateRunning, Address: "127.1.1.1"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, note (-want +got):\n%s", err, diff)
	}
	if _, err := stage.ReadNote([]byte(`{"taskStatus":"TASK_RUNNING","ipAddresses":[]}`)); err == nil {
		t.Error("a task without address is no error")
	}
}
