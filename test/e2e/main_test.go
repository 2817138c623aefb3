package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// deadline is how long each single condition may take to come true. It is
// generous: tests run on small, shared machines, many beside each other.
const deadline = 60 * time.Second

// binaryVariable tells where the program under test is.
const binaryVariable = "MLB_E2E_BINARY"

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		return // mlb would have to be built first
	}
	// The tests mostly wait for other processes: more of them may run than there are
	// processors.
	if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dir, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = max(status, 1)
		}
		os.Exit(status)
	}))
}

// build builds the program into a new folder and notes where it is.
func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "mlb-e2e"); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // for other users
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	binary := filepath.Join(dir, "mlb")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-race", "-o", binary, "mlb/cmd/mlb")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build mlb: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return dir, os.Setenv(binaryVariable, binary)
}
