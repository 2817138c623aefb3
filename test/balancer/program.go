package balancer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Deadline is how long each single condition may take to come true. It is generous:
// tests run on small, shared machines, many beside each other.
const Deadline = 60 * time.Second

// binaryVariable tells where the program under test is.
const binaryVariable = "MLB_TEST_BINARY"

// Build builds mlb with the race detector into a new folder, which it returns for
// the caller to remove, and lets every [Balancer] of this process run it.
func Build(ctx context.Context) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "mlb-test"); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // for other users
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	binary := filepath.Join(dir, "mlb")
	cmd := exec.CommandContext(ctx, "go", "build", "-race", "-o", binary, "mlb/cmd/mlb")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build mlb: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return dir, os.Setenv(binaryVariable, binary)
}
