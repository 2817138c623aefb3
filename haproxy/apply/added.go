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
	l.before("note " + l.addedFile())
	if err := appendNote(l.addedFile(), b.String()); err != nil {
		l.log.Warn("servers to add not noted", zap.Error(err))
	}
}

func appendNote(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("note: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// shelvedFile holds the notes about servers that the file which is being written has.
func (l *Loop) shelvedFile() string { return filepath.Join(l.cfg.StateDir, "added.1.cfg") }

// shelveAdded puts the notes aside that what is written next makes superfluous, behind
// those of an attempt to write that failed.
func (l *Loop) shelveAdded() {
	text, err := os.ReadFile(l.addedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		l.before("shelve " + l.shelvedFile())
		err = appendNote(l.shelvedFile(), string(text))
	}
	if err != nil {
		l.log.Warn("note of added servers not moved", zap.Error(err))
		return
	}
	l.remove(l.addedFile())
}

// forgetShelved ends the notes about servers that the configuration file has now.
func (l *Loop) forgetShelved() { l.remove(l.shelvedFile()) }

// forgetAdded ends all notes: what HAProxy runs is what it was started with.
func (l *Loop) forgetAdded() {
	l.remove(l.addedFile())
	l.forgetShelved()
}

func (l *Loop) remove(note string) {
	l.before("remove " + note)
	if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("note of added servers not removed", zap.Error(err))
	}
}

// readAdded returns the noted servers by backend/name, the last one of each. Without
// a readable note there are none.
func (l *Loop) readAdded() map[string]haproxy.Server {
	added := map[string]haproxy.Server{}
	for _, note := range []string{l.shelvedFile(), l.addedFile()} {
		text, err := os.ReadFile(note)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("note of added servers not read", zap.Error(err))
		}
		for _, sec := range haproxy.Parse(string(text)).Sections.All() {
			for _, s := range sec.Servers {
				added[sec.Name+"/"+s.Name] = s
			}
		}
	}
	return added
}
