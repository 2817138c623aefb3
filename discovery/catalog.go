package discovery

import (
	"cmp"
	"slices"
	"time"
)

// LastGood is what a source last said, as it is kept over a restart.
type LastGood struct {
	// Read is when the source was last heard; zero means never.
	Read time.Time
	// Source is the address that answered, without credentials.
	Source string
	// Terms says under which options the services were derived; others make other
	// services of the same apps.
	Terms string
	// Services are sorted with CompareServices, and never changed.
	Services []Service
}

// Catalog is all that a source says: its last look at all apps, with what later looks
// at some of them found. The zero value knows of nothing. It is for one goroutine at a
// time.
type Catalog struct {
	services []Service
}

// Shared returns the snapshot with the catalog's own services in the place of equal ones:
// what has not changed is in memory once, however often the source says it.
func (c *Catalog) Shared(s Snapshot) Snapshot {
	services := slices.Clone(s.Services)
	for i := range services {
		at, found := slices.BinarySearchFunc(c.services, services[i], CompareServices)
		if found && c.services[at].Equal(services[i]) {
			services[i] = c.services[at]
		}
	}
	s.Services = services
	return s
}

// Take takes a snapshot in. Without a change in the number of services one of some apps
// costs as much as these.
func (c *Catalog) Take(s Snapshot) {
	if s.Apps == nil {
		c.services = slices.Clone(s.Services)
		return
	}
	for _, app := range s.Apps {
		first, last := runOf(c.services, app)
		is := ServicesOf(s.Services, app)
		if len(is) == last-first {
			copy(c.services[first:last], is)
			continue
		}
		c.services = slices.Replace(c.services, first, last, is...)
	}
}

// Services returns a copy of the present services, sorted with CompareServices.
func (c *Catalog) Services() []Service { return slices.Clone(c.services) }

// View returns the present services without copying them: the result must not be
// changed and is valid until the next Take.
func (c *Catalog) View() []Service { return c.services }

// ServicesOf returns the services of an app as a part of a sorted list of services.
func ServicesOf(services []Service, app string) []Service {
	first, last := runOf(services, app)
	return services[first:last]
}

// runOf returns where the services of an app begin and end.
func runOf(services []Service, app string) (first, last int) {
	first, _ = slices.BinarySearchFunc(services, app, func(s Service, app string) int { return cmp.Compare(s.App, app) })
	last = first
	for last < len(services) && services[last].App == app {
		last++
	}
	return first, last
}
