package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"mlb/haproxy/runtime"
)

// ErrForeign says that an HAProxy belongs to somebody else, who starts, reloads and
// stops it.
var ErrForeign = errors.New("haproxy is somebody else's")

// Foreign stands for an HAProxy that somebody else runs: it is never started, reloaded
// or stopped, and taken to be running. Make it with NewForeign. Methods are for one
// goroutine at a time.
type Foreign struct {
	lock  *flock.Flock
	names []string
}

// NewForeign returns a Foreign. stateDir is an existing folder; Adopt locks it, as it
// does for a [Process]. names are the names of HAProxy's program.
func NewForeign(stateDir string, names []string) *Foreign {
	return &Foreign{names: names, lock: flock.New(filepath.Join(stateDir, "haproxy.lock"), flock.SetPermissions(0o600))}
}

// Adopt takes the lock and reports true. [ErrLocked] is worth a retry.
func (f *Foreign) Adopt(context.Context) (bool, error) {
	if err := acquire(f.lock); err != nil {
		return false, err
	}
	return true, nil
}

// Start returns ErrForeign.
func (f *Foreign) Start(context.Context) error { return ErrForeign }

// Reload returns ErrForeign.
func (f *Foreign) Reload(context.Context) (runtime.ReloadResult, error) {
	return runtime.ReloadResult{}, ErrForeign
}

// Stop does nothing.
func (f *Foreign) Stop(context.Context, time.Duration) error { return nil }

// Exited returns nil: how HAProxy ends is its owner's business.
func (f *Foreign) Exited() <-chan struct{} { return nil }

// Running returns true.
func (f *Foreign) Running() bool { return true }

// PIDs returns the processes of HAProxy on this machine, whoever runs them.
func (f *Foreign) PIDs() []int { return living(population(f.names)) }

// Close gives up the lock.
func (f *Foreign) Close() error {
	if err := f.lock.Unlock(); err != nil {
		return fmt.Errorf("unlock %s: %w", f.lock.Path(), err)
	}
	return nil
}

// InitCommand returns the words that reload HAProxy through the init system of the
// machine, or nil if it is found nowhere (contract 7). root is the root folder, "/".
func InitCommand(root string) []string {
	script := filepath.Join(root, "/etc/init.d/haproxy")
	for _, c := range []struct {
		file  string
		words []string
	}{
		{"/etc/init/haproxy.conf", []string{"reload", "haproxy"}},
		{"/usr/lib/systemd/system/haproxy.service", []string{"systemctl", "reload", "haproxy"}},
		{"/lib/systemd/system/haproxy.service", []string{"systemctl", "reload", "haproxy"}},
		{"/etc/systemd/system/haproxy.service", []string{"systemctl", "reload", "haproxy"}},
		{"/etc/init.d/haproxy", []string{script, "reload"}},
	} {
		if _, err := os.Stat(filepath.Join(root, c.file)); err == nil {
			return c.words
		}
	}
	return nil
}
