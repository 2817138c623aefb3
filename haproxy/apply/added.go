package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	"mlb/haproxy"
)

// addedFile notes the servers that are added at run time until the configuration file
// has them. HAProxy does not tell a server's options, so without the note one that
// mlb added right before its death would be a stranger to its successor.
func (l *Loop) addedFile() string { return filepath.Join(l.cfg.StateDir, "added.cfg") }

// noteAdded notes the servers that steps are about to add, as sections that
// haproxy.Parse reads. The note has to outlive mlb but not HAProxy, so it is not
// synced.
func (l *Loop) noteAdded(steps []haproxy.Step) {
	var b strings.Builder
	for _, st := range steps {
		if st.Kind == haproxy.AddServer || st.Kind == haproxy.SetAddress {
			fmt.Fprintf(&b, "backend %s\n%s\n", st.Backend, st.Server.Effective().Line)
		}
	}
	if b.Len() == 0 {
		return
	}
	f, err := os.OpenFile(l.addedFile(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(b.String())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		l.log.Warn("servers to add not noted", zap.Error(err))
	}
}

// forgetAdded ends the note once the configuration file has the servers.
func (l *Loop) forgetAdded() {
	if err := os.Remove(l.addedFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("note of added servers not removed", zap.Error(err))
	}
}

// readAdded returns the noted servers by backend/name, the last one of each. Without
// a readable note there are none.
func (l *Loop) readAdded() map[string]haproxy.Server {
	text, err := os.ReadFile(l.addedFile())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("note of added servers not read", zap.Error(err))
		}
		return nil
	}
	config, err := haproxy.Parse(string(text))
	if err != nil {
		l.log.Warn("note of added servers not read", zap.Error(err))
		return nil
	}
	added := map[string]haproxy.Server{}
	for _, sec := range config.Sections {
		for _, s := range sec.Servers {
			added[sec.Name+"/"+s.Name] = s
		}
	}
	return added
}
