package marathon

import (
	"maps"

	"mlb/discovery"
)

// qualified returns tasks, each with its app, with the apps' IDs qualified.
func qualified(cluster string, apps map[string]string) map[string]string {
	if cluster == "" {
		return apps
	}
	out := maps.Clone(apps)
	for task, app := range out {
		out[task] = discovery.Qualify(cluster, app)
	}
	return out
}
