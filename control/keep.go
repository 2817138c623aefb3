package control

import (
	"slices"
	"time"

	"mlb/discovery"
)

// keeper decides how long a service without tasks keeps its section (D62).
type keeper struct {
	timeout time.Duration
	served  map[discovery.ServiceKey]time.Time
}

// keep returns the services that have endpoints, and those that had some within
// the timeout before now. A service that never had a task is not kept. was are the
// services of the snapshot before, in the order of discovery.CompareServices.
func (k *keeper) keep(was, services []discovery.Service, now time.Time) []discovery.Service {
	served := make(map[discovery.ServiceKey]time.Time, len(services))
	kept := make([]discovery.Service, 0, len(services))
	for _, s := range services {
		key := s.Key()
		last, known := k.served[key]
		switch {
		case len(s.Endpoints) > 0, known && hadEndpoints(was, s):
			last = now
		case !known || now.Sub(last) >= k.timeout:
			continue
		}
		served[key] = last
		kept = append(kept, s)
	}
	k.served = served
	return kept
}

// hadEndpoints reports whether a service had endpoints in an earlier list.
func hadEndpoints(was []discovery.Service, s discovery.Service) bool {
	i, ok := slices.BinarySearchFunc(was, s, discovery.CompareServices)
	return ok && len(was[i].Endpoints) > 0
}

// stays reports whether a service that is kept stays so with other endpoints, and notes
// when it had some.
func (k *keeper) stays(was, is discovery.Service, now time.Time) bool {
	key := is.Key()
	if len(was.Endpoints)+len(is.Endpoints) > 0 {
		k.served[key] = now
	}
	return len(is.Endpoints) > 0 || now.Sub(k.served[key]) < k.timeout
}
