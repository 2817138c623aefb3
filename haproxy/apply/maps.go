package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/runtime"
)

// maps does runtime updates of maps and reads back what came of them. What is not
// confirmed becomes a reason to reload.
func (l *Loop) maps(ctx context.Context, steps []haproxy.MapStep) []haproxy.Reason {
	var reasons []haproxy.Reason
	for _, st := range steps {
		is, err := l.changeMap(ctx, st)
		if err != nil {
			reasons = append(reasons, haproxy.Reason{Code: reasonUnconfirmed, Detail: "file " + st.File + ": " + err.Error()})
		}
		if is != nil {
			l.running = l.running.AfterMaps([]haproxy.MapStep{*is})
		}
	}
	return reasons
}

// changeMap does one step and returns the one that HAProxy shows, if it shows any.
func (l *Loop) changeMap(ctx context.Context, st haproxy.MapStep) (*haproxy.MapStep, error) {
	if len(st.Entries) == 0 {
		return &st, nil // only its file changes
	}
	var commands []string
	for _, e := range st.Entries {
		commands = append(commands, e.Commands(l.beside(st.File))...)
	}
	for _, c := range commands {
		if err := runtime.Validate(c); err != nil {
			return nil, err
		}
	}
	if _, err := l.execute(ctx, commands); err != nil {
		l.log.Warn("runtime commands not completed", zap.Error(err))
	}
	l.before("read a map back")
	has, err := l.socket.Map(ctx, l.beside(st.File))
	if err != nil {
		return nil, err
	}
	if wanted, _ := haproxy.ParseMap(st.Text); !isMap(has, wanted) {
		return &haproxy.MapStep{File: st.File, Text: mapText(has)}, fmt.Errorf("%d changes of entries are not to be seen", len(st.Entries))
	}
	return &st, nil
}

// isMap reports whether a map has exactly these entries, each once.
func isMap(has []runtime.MapEntry, wanted map[string]string) bool {
	return len(has) == len(wanted) && !slices.ContainsFunc(has, func(e runtime.MapEntry) bool {
		value, ok := wanted[e.Key]
		return !ok || value != e.Value
	})
}

// readMaps makes running say which entries HAProxy's maps have. A map whose entries are
// not those of its file gets a text of its own, so that the next plan mends it.
func (l *Loop) readMaps(ctx context.Context) error {
	if l.socket == nil {
		return nil
	}
	var steps []haproxy.MapStep
	for _, f := range l.running.Files {
		wanted, ok := haproxy.ParseMap(f.Text)
		if !ok || !l.running.LooksUp(f.Name) {
			continue
		}
		has, err := l.socket.Map(ctx, l.beside(f.Name))
		if err != nil {
			return err
		}
		if !isMap(has, wanted) {
			steps = append(steps, haproxy.MapStep{File: f.Name, Text: mapText(has)})
		}
	}
	l.running = l.running.AfterMaps(steps)
	return nil
}

func mapText(entries []runtime.MapEntry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Key + " " + e.Value + "\n")
	}
	return b.String()
}
