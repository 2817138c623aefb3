package runtime_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/zap"

	"mlb/haproxy/runtime"
	"mlb/test/haproxytest"
)

// The master of 2.6 and 3.0 does so now and then when an answer is long.
func TestQuestionWhoseAnswerDoesNotEndIsAskedAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(haproxytest.Dir(t), "master.sock")
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	asked, hangs := 0, make(chan net.Conn, 10)
	all.Go(func() {
		for ; ; asked++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = io.WriteString(c, "2.6.12\n\n0x1 key value\n\n")
			if asked%2 == 0 {
				hangs <- c
				continue
			}
			_, _ = io.WriteString(c, "2.6.12\n\n")
			_ = c.Close()
		}
	})
	defer func() {
		_ = l.Close()
		all.Wait()
		close(hangs)
		for c := range hangs {
			_ = c.Close()
		}
	}()
	s := runtime.NewMasterSocket(path, zap.NewNop())
	if entries, err := s.Map(t.Context(), "/m"); err != nil || len(entries) != 1 || entries[0].Value != "value" {
		t.Errorf("Map = %v, %v", entries, err)
	}
	// A change is never made twice because of that.
	if _, err := s.Execute(t.Context(), []string{"add map /m key value"}); !errors.Is(err, runtime.ErrTimeout) {
		t.Errorf("Execute = %v, want ErrTimeout", err)
	}
	_ = l.Close()
	all.Wait()
	if asked != 3 {
		t.Errorf("%d connections, want 2 and 1", asked)
	}
}
