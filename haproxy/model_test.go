package haproxy_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mlb/haproxy"
)

// model is a HAProxy as far as runtime commands can change it: servers by
// "backend/server".
type model struct {
	version  haproxy.Version
	backends map[string]modelBackend
	servers  map[string]modelServer
}

type modelBackend struct {
	static bool            // takes no server and no weight
	pinned map[string]bool // servers named elsewhere
}

type modelServer struct {
	Address         string
	Options         string // all that no command changes
	Weight          int
	ID              string
	Maint, Checking bool
}

// inRotation reports whether the server gets new sessions.
func (s modelServer) inRotation() bool { return !s.Maint && s.Weight > 0 }

// load starts the model on a configuration.
func load(c haproxy.Config, v haproxy.Version) *model {
	m := &model{version: v, backends: map[string]modelBackend{}, servers: map[string]modelServer{}}
	for _, sec := range c.Sections.All() {
		if sec.Kind != "backend" {
			continue
		}
		b := modelBackend{pinned: map[string]bool{}}
		for _, line := range append(slices.Clone(sec.Defaults), sec.Skeleton...) {
			if algorithm, ok := strings.CutPrefix(line, "balance "); ok {
				b.static = algorithm == "static-rr" || algorithm == "source"
			}
			if words := strings.Fields(line); words[0] == "use-server" {
				b.pinned[words[1]] = true
			}
		}
		m.backends[sec.Name] = b
		for _, srv := range sec.Servers {
			s := modelServer{Address: srv.Address, Weight: 1}
			for _, k := range srv.Keywords {
				s.set(k.Name, k.Args)
			}
			m.servers[sec.Name+"/"+srv.Name] = s
		}
	}
	return m
}

// set applies one option of a server line.
func (s *modelServer) set(name, args string) {
	switch name {
	case "enabled":
	case "disabled":
		s.Maint = true
	case "weight":
		s.Weight, _ = strconv.Atoi(args) // the texts hold numbers only
	case "id":
		s.ID = args
	case "check":
		s.Checking = true
		s.Options += " check"
	default:
		s.Options += " " + name + " " + args
	}
}

// run executes one command of the Runtime API and returns what HAProxy would say
// against it.
func (m *model) run(command string) error {
	w := strings.Fields(command)
	if len(w) < 3 {
		return fmt.Errorf("too short: %q", command)
	}
	verb, target := w[0]+" "+w[1], w[2]
	backend, name, _ := strings.Cut(target, "/")
	b, ok := m.backends[backend]
	if !ok {
		return errors.New("no such backend")
	}
	if verb == "add server" {
		return m.add(b, target, w[3:])
	}
	s, ok := m.servers[target]
	if !ok {
		return errors.New("no such server")
	}
	switch verb {
	case "enable health":
		if !strings.Contains(s.Options, " check") {
			return errors.New("no health check")
		}
		s.Checking = true
	case "set server":
		if err := s.change(b, w[3:]); err != nil {
			return err
		}
	case "del server":
		if !s.Maint || b.pinned[name] {
			return errors.New("cannot be removed")
		}
		delete(m.servers, target)
		return nil
	default:
		return fmt.Errorf("unknown command %q", command)
	}
	m.servers[target] = s
	return nil
}

func (s *modelServer) change(b modelBackend, w []string) error {
	switch {
	case slices.Equal(w, []string{"state", "ready"}):
		s.Maint = false
	case slices.Equal(w, []string{"state", "maint"}):
		s.Maint = true
	case len(w) == 2 && w[0] == "weight":
		weight, err := strconv.Atoi(w[1])
		if err != nil || weight < 0 || weight > 256 || b.static {
			return fmt.Errorf("weight %s", w[1])
		}
		s.Weight = weight
	case len(w) == 4 && w[0] == "addr" && w[2] == "port":
		addr, err := netip.ParseAddrPort(netipJoin(w[1], w[3]))
		if err != nil {
			return err
		}
		s.Address = addr.String()
	default:
		return fmt.Errorf("unknown change %q", w)
	}
	return nil
}

func netipJoin(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

// add registers a server, in maintenance and with its checks off.
func (m *model) add(b modelBackend, target string, w []string) error {
	switch _, known := m.servers[target]; {
	case known:
		return errors.New("already exists")
	case b.static:
		return errors.New("backend must use a dynamic load balancing")
	}
	if _, err := netip.ParseAddrPort(w[0]); err != nil {
		return err
	}
	s := modelServer{Address: w[0], Weight: 1}
	for i := 1; i < len(w); i++ {
		name, args := w[i], ""
		switch name {
		case "weight", "id", "fall":
		case "cookie":
			if !m.version.AtLeast(3, 0) {
				return errors.New("cookie")
			}
		case "shard":
			if !m.version.AtLeast(2, 8) {
				return errors.New("shard")
			}
		case "check":
			s.set(name, "")
			continue
		default:
			return fmt.Errorf("keyword %q", name)
		}
		i++
		args = w[i]
		s.set(name, args)
	}
	for other, o := range m.servers {
		backend, _, _ := strings.Cut(target, "/")
		if strings.HasPrefix(other, backend+"/") && s.ID != "" && o.ID == s.ID {
			return errors.New("id is in use")
		}
	}
	s.Maint, s.Checking = true, false
	m.servers[target] = s
	return nil
}

// state is what the servers are. Ids are left out: they depend on who was there
// first.
func (m *model) state() map[string]modelServer {
	out := map[string]modelServer{}
	for target, s := range m.servers {
		s.ID = ""
		words := strings.Split(s.Options, "  ")
		slices.SortFunc(words, cmp.Compare)
		s.Options = strings.Join(words, " ")
		out[target] = s
	}
	return out
}

// rotating returns the backends that have a server in rotation.
func (m *model) rotating() map[string]bool {
	out := map[string]bool{}
	for target, s := range m.servers {
		if s.inRotation() {
			backend, _, _ := strings.Cut(target, "/")
			out[backend] = true
		}
	}
	return out
}
