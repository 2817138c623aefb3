package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mlb/haproxy"
	"mlb/test/marathonsim"
)

const (
	// firstService is the service port of the first app; the others follow.
	firstService = 10000
	// backendPrefix begins the names of the backends of all apps.
	backendPrefix = "soak_"
	// groupSize is how many apps a group has.
	groupSize = 3
	// steady is the place of the app that nothing is done to.
	steady = 0
)

// app is a place for an app, which may be empty.
type app struct {
	// id is absolute; group is its folder, empty for apps outside of the groups.
	id, group string
	// checked says that it has a health check.
	checked bool
	present bool
	version int // counts its virtual hosts, which never come back
}

// site is all that is deployed.
type site struct {
	cluster *marathonsim.Cluster
	apps    []app
	gone    []string // virtual hosts that nobody has any more
}

// newSite returns a site on which only the steady app is.
func newSite(c *marathonsim.Cluster, apps, groups int) *site {
	s := &site{cluster: c, apps: []app{{id: "/soak/steady"}}}
	for i := range apps {
		s.apps = append(s.apps, app{id: fmt.Sprintf("/soak/app-%d", i), checked: i%2 == 0})
	}
	for g := range groups {
		folder := fmt.Sprintf("/soak/group-%d", g)
		for i := range groupSize {
			s.apps = append(s.apps, app{id: fmt.Sprintf("%s/app-%d", folder, i), group: folder, checked: i%2 == 0})
		}
	}
	return s
}

// host is the virtual host of an app now.
func (s *site) host(i int) string {
	return fmt.Sprintf("v%d.%s.example", s.apps[i].version, strings.ReplaceAll(strings.Trim(s.apps[i].id, "/"), "/", "-"))
}

// retire leaves an app's present virtual host to nobody.
func (s *site) retire(i int) {
	s.gone = append(s.gone, s.host(i))
	s.apps[i].version++
}

// document is an app. Agents are given up soon: the simulator hurries.
func (s *site) document(i, instances int) json.RawMessage {
	check := ""
	if s.apps[i].checked {
		check = `"healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 20,
			"intervalSeconds": 1, "timeoutSeconds": 2, "maxConsecutiveFailures": 3}],`
	}
	return fmt.Appendf(nil, `{"id": %q, "cmd": "serve", "instances": %d, "cpus": 0.1, "mem": 32, %s
		"portDefinitions": [{"port": %d, "protocol": "tcp"}],
		"unreachableStrategy": {"inactiveAfterSeconds": 20, "expungeAfterSeconds": 60},
		"labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_MODE": "http", "HAPROXY_0_VHOST": %q}}`,
		s.apps[i].id, instances, check, firstService+i, s.host(i))
}

// deploy brings an app, or changes the number of tasks that there are of it.
func (s *site) deploy(i, instances int) error {
	err := s.cluster.Deploy(string(s.document(i, instances)))
	s.apps[i].present = s.apps[i].present || err == nil
	return err
}

// rename gives an app another virtual host.
func (s *site) rename(i, instances int) error {
	before := s.apps[i].version
	old := len(s.gone)
	s.retire(i)
	err := s.deploy(i, instances)
	if err != nil {
		s.apps[i].version, s.gone = before, s.gone[:old]
	}
	return err
}

// delete takes an app away.
func (s *site) delete(i int) error {
	if err := s.cluster.Delete(s.apps[i].id); err != nil {
		return err
	}
	s.leave(i)
	return nil
}

// leave notes that an app is gone.
func (s *site) leave(i int) {
	if s.apps[i].present {
		s.retire(i)
		s.apps[i].present = false
	}
}

// putGroup replaces a group: all its apps are there then, those of the list with another
// virtual host.
func (s *site) putGroup(group string, renamed []int, instances int) error {
	before, old := slices.Clone(s.apps), len(s.gone)
	var documents []json.RawMessage
	for _, i := range s.members(group) {
		if s.apps[i].present && slices.Contains(renamed, i) {
			s.retire(i)
		}
		s.apps[i].present = true
		documents = append(documents, s.document(i, instances))
	}
	text, err := json.Marshal(map[string]any{"id": group, "apps": documents})
	if err == nil {
		err = s.cluster.Deploy(string(text))
	}
	if err != nil {
		s.apps, s.gone = before, s.gone[:old]
	}
	return err
}

// deleteGroup takes a group away with what is in it.
func (s *site) deleteGroup(group string) error {
	if err := s.cluster.Delete(group); err != nil {
		return err
	}
	for _, i := range s.members(group) {
		s.leave(i)
	}
	return nil
}

// members returns the places of a group's apps.
func (s *site) members(group string) []int {
	var places []int
	for i, a := range s.apps {
		if a.group == group {
			places = append(places, i)
		}
	}
	return places
}

// wanted returns the addresses of tasks by backend, without backends that have none.
func (s *site) wanted() map[string][]string {
	want := map[string][]string{}
	for i, a := range s.apps {
		for _, t := range s.cluster.Ready(a.id) {
			name := haproxy.BackendName(a.id, firstService+i)
			want[name] = append(want[name], t.Addr(0))
		}
	}
	return want
}
