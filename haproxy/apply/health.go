package apply

import (
	"context"
	"os"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/runtime"
)

// saveHealth writes down which servers HAProxy's checks have found dead, so that the
// next worker does not begin by believing in them: without that, its first checks are
// spread over a whole interval. Only servers whose backend, name, address and check
// are the same in the new configuration are noted. A note that cannot be made does
// not hold back a reload.
func (l *Loop) saveHealth(ctx context.Context, next haproxy.Config) {
	if l.cfg.ServerStateFile == "" || l.socket == nil {
		return
	}
	wanted := checkedServers(next)
	text, err := l.socket.StateFile(ctx, func(s runtime.ServerState) bool {
		return s.Operational == runtime.Stopped && s.Admin == 0 && s.CheckEnabled &&
			wanted[serverKey{s.Backend, s.Name}] == haproxy.JoinBind(s.Address, s.Port)
	})
	if err == nil {
		err = l.replace(l.cfg.ServerStateFile, plain(text), fileMode)
	}
	if err != nil {
		l.log.Warn("states of servers not saved, dead ones may get requests until they are checked", zap.Error(err))
		l.forgetHealth()
	}
}

// forgetHealth empties the note: a HAProxy that starts later must not believe it. A
// note that others keep for their HAProxy is left alone.
func (l *Loop) forgetHealth() {
	if l.cfg.ServerStateFile == "" {
		return
	}
	if _, err := os.Stat(l.cfg.ServerStateFile); err == nil && l.cfg.Command != nil {
		return
	}
	if err := l.replace(l.cfg.ServerStateFile, plain(runtime.EmptyStateFile), fileMode); err != nil {
		l.log.Warn("states of servers not forgotten", zap.Error(err))
	}
}

type serverKey struct{ backend, server string }

// checkedServers returns the addresses of the servers in rotation that are checked.
func checkedServers(c haproxy.Config) map[serverKey]string {
	out := map[serverKey]string{}
	for _, s := range c.Sections.All() {
		if s.Kind != "backend" && s.Kind != "listen" {
			continue
		}
		for _, server := range s.Servers {
			if _, checked := server.Keyword("check"); checked && server.Ready() {
				out[serverKey{s.Name, server.Name}] = server.Address
			}
		}
	}
	return out
}
