package process

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

// messagePoll is how often new messages of HAProxy are passed on.
const messagePoll = time.Second

// master is one life of an HAProxy master under watch.
type master struct {
	id identity
	// child is set when the master is a child of ours, which has to be reaped.
	child *exec.Cmd
	// exited is closed when the master has ended; err says how and is read only
	// after that.
	exited chan struct{}
	err    error
	// stop ends the watch, watched is closed when it has ended.
	stop    context.CancelFunc
	watched chan struct{}
}

func (m *master) hasExited() bool {
	select {
	case <-m.exited:
		return true
	default:
		return false
	}
}

// watch makes a process the present master and watches it until it ends or unwatch
// is called.
func (p *Process) watch(id identity, child *exec.Cmd) *master {
	p.unwatch()
	ctx, stop := context.WithCancel(context.Background())
	m := &master{id: id, child: child, exited: make(chan struct{}), stop: stop, watched: make(chan struct{})}
	p.mu.Lock()
	p.master = m
	p.mu.Unlock()
	go func() {
		defer close(m.watched)
		p.follow(ctx, m)
	}()
	return m
}

// follow passes HAProxy's messages on until the master has ended or ctx ends.
func (p *Process) follow(ctx context.Context, m *master) {
	gone := make(chan error, 1)
	go func() { gone <- m.id.wait(ctx) }()
	ticker := time.NewTicker(messagePoll)
	defer ticker.Stop()
	for {
		select {
		case err := <-gone:
			if err != nil {
				return // no longer watched
			}
			m.err = errors.New("haproxy has ended")
			if m.child != nil {
				if err := m.child.Wait(); err != nil {
					m.err = err
				}
			}
			p.messages.pass()
			close(m.exited)
			return
		case <-ticker.C:
			p.messages.pass()
		}
	}
}

// unwatch ends the watch of the present master and forgets it.
func (p *Process) unwatch() {
	p.mu.Lock()
	m := p.master
	p.master = nil
	p.mu.Unlock()
	if m != nil {
		m.stop()
		<-m.watched
	}
}

func (p *Process) current() *master {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.master
}
