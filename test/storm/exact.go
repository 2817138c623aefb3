package storm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"mlb/haproxy"
	"mlb/haproxy/runtime"
)

// Balancer is where the HAProxy is that has to be exact.
type Balancer struct {
	// Master is the socket of its master, Web the address that serves virtual hosts,
	// Config the file that mlb writes.
	Master *runtime.Socket
	Web    string
	Config string
}

// Exact waits until HAProxy has exactly what Marathon says, and the file on disk too:
// each app a backend with its tasks as servers, in rotation; nothing else; and each
// virtual host a task of its app. It gives up with the context, and then says what
// differs.
func (s *Storm) Exact(ctx context.Context, b Balancer) error {
	for name, check := range map[string]func(context.Context, Balancer) error{
		"haproxy": s.servers, "the file": s.file, "virtual hosts": s.hosts,
	} {
		if err := Eventually(ctx, func() error { return check(ctx, b) }); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Eventually waits until check returns nil. It gives up with the context, and then says
// what was wrong last.
func Eventually(ctx context.Context, check func() error) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// want returns the addresses of tasks by backend.
func (s *Storm) want() map[string][]string {
	want := map[string][]string{}
	for i, a := range s.apps {
		if !a.present {
			continue
		}
		name := haproxy.BackendName(appID(i), firstService+i)
		want[name] = []string{}
		for _, t := range s.cluster.Ready(appID(i)) {
			want[name] = append(want[name], t.Addr(0))
		}
	}
	return want
}

// servers compares Marathon with "show servers state".
func (s *Storm) servers(ctx context.Context, b Balancer) error {
	got, err := b.Servers(ctx, backendPrefix)
	if err != nil {
		return err
	}
	return Differences(s.want(), got)
}

// file compares Marathon with the configuration on disk.
func (s *Storm) file(_ context.Context, b Balancer) error {
	got, err := b.Written(backendPrefix)
	if err != nil {
		return err
	}
	return Differences(s.want(), got)
}

// Servers returns the addresses of the servers that HAProxy has, by backend, of those
// whose names begin with the prefix. An address that is out of rotation says so. A
// backend without servers is not there.
func (b Balancer) Servers(ctx context.Context, prefix string) (map[string][]string, error) {
	found, err := b.Master.Servers(ctx)
	if err != nil {
		return nil, err
	}
	got := map[string][]string{}
	for _, server := range found {
		if !strings.HasPrefix(server.Backend, prefix) {
			continue
		}
		address := net.JoinHostPort(server.Address, strconv.Itoa(server.Port))
		if !server.InRotation() {
			address += " out of rotation"
		}
		got[server.Backend] = append(got[server.Backend], address)
	}
	return got, nil
}

// Written returns the addresses of the servers in the file, by backend, of those whose
// names begin with the prefix.
func (b Balancer) Written(prefix string) (map[string][]string, error) {
	text, err := os.ReadFile(b.Config)
	if err != nil {
		return nil, err
	}
	got := map[string][]string{}
	for _, section := range haproxy.Parse(string(text)).Sections.All() {
		if section.Kind != "backend" || !strings.HasPrefix(section.Name, prefix) {
			continue
		}
		got[section.Name] = []string{}
		for _, server := range section.Servers {
			got[section.Name] = append(got[section.Name], server.Address)
		}
	}
	return got, nil
}

// Differences is an error that counts the backends whose servers, in whatever order, are
// not the wanted ones, and shows one; nil if there are none. It sorts the servers.
func Differences(want, got map[string][]string) error {
	var names []string
	for name := range want {
		if _, there := got[name]; !there {
			names = append(names, name)
		}
	}
	for name, servers := range got {
		wanted, there := want[name]
		slices.Sort(servers)
		slices.Sort(wanted)
		if !there || !slices.Equal(wanted, servers) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("%d backends differ, among them %s: servers %q, tasks %q", len(names), names[0], got[names[0]], want[names[0]])
}

// hosts asks for each virtual host, also for those that nobody has any more.
func (s *Storm) hosts(ctx context.Context, b Balancer) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for i, a := range s.apps {
		if !a.present {
			continue
		}
		status, task, err := ask(ctx, transport, b.Web, s.host(i), "/")
		if err != nil {
			return err
		}
		var ready []string
		for _, t := range s.cluster.Ready(appID(i)) {
			ready = append(ready, t.ID)
		}
		if !slices.Contains(ready, task) {
			return fmt.Errorf("%s: status %d of task %q, want one of %q", s.host(i), status, task, ready)
		}
	}
	for _, host := range s.gone {
		status, task, err := ask(ctx, transport, b.Web, host, "/")
		if err != nil {
			return err
		}
		if status != http.StatusServiceUnavailable {
			return fmt.Errorf("%s: status %d of task %q, want 503", host, status, task)
		}
	}
	return nil
}
