package process

import (
	"fmt"
	"syscall"
)

// FileLimit returns how many files this process may open: the limit in force and
// the one up to which it may be raised. HAProxy started by us gets the same hard
// limit and refuses to start when its maxconn needs more.
func FileLimit() (soft, hard uint64, err error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, 0, fmt.Errorf("limit of open files: %w", err)
	}
	return l.Cur, l.Max, nil
}

// raiseFileLimit lifts the limit of open files to the hard one. It must be package
// syscall that does it: only then do children inherit the limit, instead of the one
// with which this process was started.
func raiseFileLimit() error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("raise limit of open files to %d: %w", l.Max, err)
	}
	return nil
}
