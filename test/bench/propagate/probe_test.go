package main

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answer, task, says string }{
		"a task":              {"HTTP/1.1 200 OK\r\nx-task: 127.1.2.3:80\r\ncontent-length: 2\r\n\r\nok", "127.1.2.3", ""},
		"no task is there":    {"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1\r\n\r\nx", "", ""},
		"a task without name": {"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "", "without length or task"},
		"no length":           {"HTTP/1.1 200 OK\r\nx-task: 127.1.2.3:80\r\n\r\n", "", "without length or task"},
		"another failure":     {"HTTP/1.1 400 Bad request\r\n\r\n", "", "400"},
		"the end":             {"HTTP/1.1 200 OK\r\n", "", "EOF"},
		"the end in the body": {"HTTP/1.1 200 OK\r\nx-task: 127.1.2.3:80\r\ncontent-length: 2\r\n\r\no", "127.1.2.3", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := prober{answers: bufio.NewReader(strings.NewReader(tt.answer))}
			task, err := p.read()
			if string(task) != tt.task || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("task %q, error %v, want %q, %q", task, err, tt.task, tt.says)
			}
		})
	}
}

func TestSightings(t *testing.T) {
	t.Parallel()
	s := newSightings()
	for _, task := range []string{"a", "b", "a", "", "b"} {
		s.note(task, 11)
	}
	s.note("a", 20)
	s.note("b", 15)
	if tasks, requests := s.count(); tasks != 2 || requests != 7 {
		t.Errorf("%d tasks in %d answers, want 2 in 7", tasks, requests)
	}
	got, since, ok := s.look("a")
	if got.first != 11 || got.last != 20 || since != 1 || !ok {
		t.Errorf("task a: %+v, %d answers since, %v", got, since, ok)
	}
	if _, since, ok := s.look("c"); ok || since != 7 {
		t.Errorf("task c: %d answers, %v", since, ok)
	}
}

func TestBackendsAreFoundInAConfiguration(t *testing.T) {
	t.Parallel()
	got := readBackends(`frontend shops_cart_1_10000
  use_backend shops_cart_1_10000
backend shops_cart_1_10000
  server a 127.0.0.1:80
  server b 127.0.0.2:80 check inter 60s
backend shops_empty_10001
`)
	var lines []string
	for _, app := range []string{"shops_cart_1", "shops_empty", "shops_none"} {
		if be := got[app]; be != nil {
			lines = append(lines, fmt.Sprint(app, " ", be.name, " ", be.servers, " ", be.checked))
		}
	}
	want := []string{
		"shops_cart_1 shops_cart_1_10000 map[127.0.0.1:a 127.0.0.2:b] true",
		"shops_empty shops_empty_10001 map[] false",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("backends (-want +got):\n%s", diff)
	}
}

// A task can only be added to a backend in the words of one that is there.
func TestCommandsForANewTask(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		checked bool
		want    []string
	}{
		"without check": {false, []string{"add server be/bare_127_1_1_1 127.1.1.1:80", "set server be/bare_127_1_1_1 state ready"}},
		"with check": {true, []string{
			"add server be/bare_127_1_1_1 127.1.1.1:80 check inter 60s fall 4", "enable health be/bare_127_1_1_1",
			"set server be/bare_127_1_1_1 state ready",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			be := backend{name: "be", servers: map[string]string{}, checked: tt.checked}
			if diff := cmp.Diff(tt.want, be.add("127.1.1.1", 80)); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
		})
	}
}
