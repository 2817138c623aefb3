package discovery

import (
	"slices"
	"strings"
)

// clusterEnd stands between the name of a cluster and the app ID. No ID of Marathon's
// has it, and HAProxy takes it in the names of sections (contract 6.1).
const clusterEnd = ":"

// Qualify returns the ID by which an app is known beside those of other clusters, such
// as "east:/shop/web". In the cluster without a name (empty) an ID stays as it is.
func Qualify(cluster, app string) string {
	if cluster == "" {
		return app
	}
	return cluster + clusterEnd + app
}

// CutCluster cuts a qualified ID into the name of the cluster, empty for the one without
// a name, and Marathon's own ID. It undoes Qualify.
func CutCluster(qualified string) (cluster, app string) {
	if cluster, app, named := strings.Cut(qualified, clusterEnd); named && cluster != "" && !strings.Contains(cluster, "/") {
		return cluster, app
	}
	return "", qualified
}

// Of returns the snapshot as one of a cluster, with qualified IDs; for the cluster
// without a name that is s itself. The order of everything stays, and s is not changed.
func (s Snapshot) Of(cluster string) Snapshot {
	if cluster == "" {
		return s
	}
	s.Cluster = cluster
	s.Apps, s.Services, s.Problems = slices.Clone(s.Apps), slices.Clone(s.Services), slices.Clone(s.Problems)
	for i := range s.Apps {
		s.Apps[i] = Qualify(cluster, s.Apps[i])
	}
	for i := range s.Services {
		s.Services[i].App = Qualify(cluster, s.Services[i].App)
	}
	for i := range s.Problems {
		s.Problems[i].App = Qualify(cluster, s.Problems[i].App)
	}
	return s
}
