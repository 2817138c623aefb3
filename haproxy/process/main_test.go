package process_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"mlb/haproxy/process"
)

// helperArgument makes the test binary start HAProxy from the directory named after
// it and end without stopping it, as an mlb does that crashes.
const helperArgument = "start-haproxy-and-die"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == helperArgument {
		if err := startAndDie(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func startAndDie(binary, dir string) error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	p := process.New(processConfig(binary, dir, null), zap.NewNop())
	if ok, err := p.Adopt(context.Background()); err != nil || ok {
		return fmt.Errorf("adopt: %t, %w", ok, err)
	}
	return p.Start(context.Background())
}

func processConfig(binary, dir string, stdout *os.File) process.Config {
	return process.Config{
		Binary: binary, ConfigFile: filepath.Join(dir, "haproxy.cfg"), MasterSocket: filepath.Join(dir, "master.sock"),
		StateDir: dir, Stdout: stdout, Sockets: []string{filepath.Join(dir, "stats.sock")},
	}
}
