package haproxy

import (
	"cmp"
	"slices"
)

// Plan is the way from the running text to the desired one. The zero value says
// that there is nothing to do.
type Plan struct {
	// Steps are runtime updates, in the order in which they must be done: what
	// adds capacity first, what takes it away last. They never wait for a
	// reload.
	Steps []Step
	// Maps are runtime updates of maps, by file name. They are done before the first
	// step that takes capacity away, as they may lead to servers that Steps add and
	// from those that go.
	Maps []MapStep
	// Reasons say why a reload is needed as well; none means that Steps and
	// Maps do it all. They are sorted and without duplicates.
	Reasons []Reason
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps)+len(p.Maps)+len(p.Reasons) == 0 }

// Reason is one cause of a reload.
type Reason struct {
	// Code is one of the Reason constants, for metrics.
	Code string
	// Section is the section it is about, or empty.
	Section string
	// Detail says what exactly, for people.
	Detail string
}

// Codes of reasons for a reload.
const (
	ReasonSectionAdded   = "section_added"
	ReasonSectionRemoved = "section_removed"
	ReasonSectionOrder   = "section_order"
	ReasonSectionChanged = "section_changed"
	ReasonAlgorithm      = "algorithm"
	ReasonServerOption   = "server_option"
	ReasonServerAddress  = "server_address"
	ReasonServerName     = "server_name"
	ReasonServerInUse    = "server_in_use"
	ReasonMapChanged     = "map_changed"
)

// StepKind says what a step does to its server.
type StepKind string

// The kinds of steps, in the order in which a plan does them. A SetWeight to 0
// comes after EnableServer.
const (
	// AddServer adds the server; it is in rotation afterwards unless its line
	// says disabled.
	AddServer StepKind = "add"
	// SetAddress gives the server another address and port.
	SetAddress StepKind = "address"
	// SetWeight changes the weight.
	SetWeight StepKind = "weight"
	// EnableServer puts the server back into rotation.
	EnableServer StepKind = "enable"
	// DrainServer takes the server out of rotation; its sessions go on.
	DrainServer StepKind = "drain"
	// RemoveServer takes the server out of rotation and deletes it once its
	// sessions have ended.
	RemoveServer StepKind = "remove"
)

// Step is one runtime update of one server.
type Step struct {
	// Kind is what is done.
	Kind StepKind
	// Backend is the name of the section.
	Backend string
	// Server is the server as it is after the step; for RemoveServer as it was
	// before.
	Server Server
}

// rank orders the kinds of steps. A weight of zero takes a server out of rotation,
// so it comes with those that do.
func (st Step) rank() int {
	switch st.Kind {
	case AddServer:
		return 0
	case SetAddress:
		return 1
	case SetWeight:
		if w, _ := st.Server.Keyword("weight"); w == "0" {
			return 4
		}
		return 2
	case EnableServer:
		return 3
	case DrainServer:
		return 5
	case RemoveServer:
	}
	return 6
}

// Takes reports whether the step takes a server out of rotation.
func (st Step) Takes() bool { return st.rank() > Step{Kind: EnableServer}.rank() }

// compareSteps orders steps by what they do, backend and server name, so that
// equal differences give equal plans.
func compareSteps(a, b Step) int {
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Backend, b.Backend),
		cmp.Compare(a.Server.Name, b.Server.Name))
}

func compareReasons(a, b Reason) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Section, b.Section), cmp.Compare(a.Detail, b.Detail))
}

// After returns the configuration that runs once the steps are done. A step for
// a section or server that is not there changes nothing.
func (c Config) After(steps []Step) Config { return c.Toward(Config{}, steps, Version{}) }

// Toward returns the configuration that runs once steps to another one are done, with
// that one's own sections wherever nothing is left to do for HAProxy of version v: the
// two are one from then on, and comparing them costs nothing.
func (c Config) Toward(desired Config, steps []Step, v Version) Config {
	if len(steps) == 0 {
		return c
	}
	byBackend := map[string][]Step{}
	for _, s := range steps {
		byBackend[s.Backend] = append(byBackend[s.Backend], s)
	}
	out := c
	for backend, mine := range byBackend {
		at, ok := c.place(backend)
		if !ok {
			continue
		}
		s := c.Sections.At(at).after(mine)
		if to, ok := desired.place(backend); ok && sameToHAProxy(s, desired.Sections.At(to), v) {
			s = desired.Sections.At(to)
		}
		out = out.with(at, s)
		out.Sections = out.Sections.sharing(at, desired.Sections)
	}
	return out
}

// sameToHAProxy reports whether nothing has to be done to get from one section to
// another.
func sameToHAProxy(running, desired *Section, v Version) bool {
	d := differ{version: v, running: newConfig([]*Section{running})}
	d.section(running, desired)
	return d.plan.Empty()
}

// after returns the section with the servers that it has once the steps are done.
func (s *Section) after(steps []Step) *Section {
	out := *s
	out.Servers = serversAfter(s.Servers, steps)
	out.named = out.namedServers()
	return &out
}

// AfterMaps returns the configuration that runs once the steps are done. A step for a
// file that is not there changes nothing.
func (c Config) AfterMaps(steps []MapStep) Config {
	out := c
	out.Files = slices.Clone(c.Files)
	for _, st := range steps {
		if i := slices.IndexFunc(out.Files, func(f File) bool { return f.Name == st.File }); i >= 0 {
			out.Files[i].Text = st.Text
		}
	}
	return out
}

func serversAfter(servers []Server, steps []Step) []Server {
	out := slices.Clone(servers)
	for _, st := range steps {
		i := slices.IndexFunc(out, func(s Server) bool { return s.Name == st.Server.Name })
		switch {
		case st.Kind == AddServer && i < 0:
			out = append(out, st.Server)
		case st.Kind == RemoveServer && i >= 0:
			out = slices.Delete(out, i, i+1)
		case i >= 0:
			out[i] = st.apply(out[i])
		}
	}
	return out
}

// apply returns the server after a step that changes it in place.
func (st Step) apply(s Server) Server {
	switch st.Kind {
	case SetAddress:
		s.Address = st.Server.Address
		return s.Effective()
	case SetWeight:
		w, ok := st.Server.Keyword("weight")
		if !ok {
			return s.cut("weight")
		}
		return s.with("weight", w)
	case EnableServer:
		if _, ok := st.Server.Keyword("enabled"); ok { // against a default-server line
			return s.with("enabled", "")
		}
		return s.cut("disabled")
	case DrainServer:
		return s.Disabled()
	case AddServer, RemoveServer:
	}
	return s
}
