package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"

	"go.uber.org/zap"
)

// ErrInUse is returned for a socket on which another process answers.
var ErrInUse = errors.New("another process answers there")

// errNoSocket is returned for a path that is taken by something else.
var errNoSocket = errors.New("there is something that is not a socket")

// socketListener removes its socket when it is closed, unless the path has become
// somebody else's.
type socketListener struct {
	net.Listener
	path  string
	info  fs.FileInfo
	close func() error
}

// Close stops listening and removes the socket. Later calls return what the first
// one did.
func (l *socketListener) Close() error { return l.close() }

func (l *socketListener) remove() error {
	var removeErr error
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.info) {
		removeErr = os.Remove(l.path)
	}
	return errors.Join(l.Listener.Close(), removeErr)
}

// listenSocket listens on a Unix socket that only this user and, if this is root,
// the group may use.
func listenSocket(ctx context.Context, path, group string, log *zap.Logger) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	inner, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if unix, ok := inner.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // it would not ask whose socket it is
	}
	l := &socketListener{Listener: inner, path: path}
	l.close = sync.OnceValue(l.remove)
	if l.info, err = os.Lstat(path); err == nil {
		err = permit(path, group, log)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStale removes a socket on which nobody listens.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errNoSocket
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(ErrInUse, c.Close())
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInUse, err)
}

// permit gives the socket its mode and group.
func permit(path, group string, log *zap.Logger) error {
	if group == "" || os.Geteuid() != 0 {
		return os.Chmod(path, 0o600)
	}
	found, err := user.LookupGroup(group)
	if err != nil {
		log.Warn("haproxy may be unable to use the socket", zap.String("socket", path), zap.Error(err))
		return os.Chmod(path, 0o600)
	}
	id, err := strconv.Atoi(found.Gid)
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	if err = os.Chown(path, -1, id); err != nil {
		return err
	}
	return os.Chmod(path, 0o660) //nolint:gosec // HAProxy's worker has to write to it
}
