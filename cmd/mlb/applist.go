package main

import (
	"fmt"
	"slices"
	"strings"

	"mlb/discovery"
)

// AppList is a set of apps: IDs, "/x/*" for all apps below /x, or "*" for all. IDs of
// named clusters are qualified. The zero value is no app.
type AppList []string

// Allow reports whether an app is in the list.
func (l AppList) Allow(app string) bool {
	return slices.ContainsFunc(l, func(entry string) bool {
		if prefix, all := strings.CutSuffix(entry, "*"); all {
			return strings.HasPrefix(app, prefix)
		}
		return app == entry
	})
}

// String returns the list as it is given on the command line.
func (l AppList) String() string {
	if len(l) == 0 {
		return "none"
	}
	return strings.Join(l, ",")
}

// parseAppList reads such a list. Blanks around its elements do not count.
func parseAppList(word string) (AppList, error) {
	if strings.TrimSpace(word) == "none" {
		return nil, nil
	}
	var list AppList
	for entry := range strings.SplitSeq(word, ",") {
		entry = strings.TrimSpace(entry)
		cluster, path := discovery.CutCluster(entry)
		id, known := strings.TrimSuffix(path, "/*"), cluster == "" || clusterName.MatchString(cluster)
		if entry != "*" && (!known || !strings.HasPrefix(path, "/") || strings.ContainsAny(id, "* ")) {
			return nil, fmt.Errorf("%q is neither an app id nor one ending in /*, nor *", entry)
		}
		list = append(list, entry)
	}
	return list, nil
}
