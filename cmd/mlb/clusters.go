package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Cluster is one Marathon whose apps are served.
type Cluster struct {
	// Name keeps the IDs of its apps apart from those of other clusters. Empty: the
	// cluster of --marathon, whose IDs stay as they are.
	Name string
	// Marathon holds the base URLs as Config.Marathon does.
	Marathon []string
}

// clusters returns all clusters, the one without a name first.
func (c Config) clusters() []Cluster {
	if len(c.Marathon) == 0 {
		return c.Clusters
	}
	return append([]Cluster{{Marathon: c.Marathon}}, c.Clusters...)
}

// clusterName is what a cluster may be called: it is a part of an app's ID, which
// HAProxy compares without case in the header X-Marathon-App-Id.
var clusterName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// nextURL is where another URL of a cluster begins; commas may be in a password, too.
var nextURL = regexp.MustCompile(`,(https?://)`)

// clusterOption is what mistakes about named clusters call the option: the variable if
// that gave them.
func (l *loader) clusterOption() string {
	if origin := l.origin["marathon-cluster"]; origin != originFlag && origin != "" {
		return origin
	}
	return "--marathon-cluster"
}

// completeClusters reads the named clusters. Without --marathon there is no other then.
func (l *loader) completeClusters() {
	d := &l.draft
	option := l.clusterOption()
	var shown []string
	for word := range strings.FieldsSeq(strings.Join(d.named, " ")) {
		name, urls, given := strings.Cut(word, "=")
		wrong := func(format string, args ...any) {
			l.wrong.add(exitUsage, option+": "+fmt.Sprintf(format, args...))
		}
		switch {
		case !given || strings.ContainsAny(name, ":@"): // a URL, perhaps with a password
			wrong("%q is not NAME=URL,URL", withoutUser(word))
			continue
		case !clusterName.MatchString(name):
			wrong("%q is not the name of a cluster: up to 32 lower-case letters, digits and dashes, no dash in front", name)
			continue
		case slices.ContainsFunc(d.Clusters, func(c Cluster) bool { return c.Name == name }):
			wrong("%s is given twice", name)
			continue
		}
		c := Cluster{Name: name}
		for url := range strings.SplitSeq(nextURL.ReplaceAllString(urls, "\n$1"), "\n") {
			base, ok := l.master(option+" "+name, url)
			if ok && strings.Contains(base, ",") {
				l.wrong.add(exitUsage, fmt.Sprintf("%s %s: %q holds a comma; every URL begins with http:// or https://", option, name, base))
			}
			if ok && !slices.Contains(c.Marathon, base) {
				c.Marathon = append(c.Marathon, base)
			}
		}
		d.Clusters = append(d.Clusters, c)
		shown = append(shown, name+"="+strings.Join(c.Marathon, ","))
	}
	d.named = shown // without credentials
	if _, given := l.origin["marathon"]; len(d.Clusters) > 0 && !given {
		d.marathon = nil
	}
}

// checkClusters finds clusters that share a master: its apps would be served twice, and
// each of their ports only once.
func (l *loader) checkClusters() {
	called := func(c Cluster) string {
		if c.Name == "" {
			return "--marathon"
		}
		return l.clusterOption() + " " + c.Name
	}
	all := l.draft.clusters()
	for i, one := range all {
		for _, other := range all[i+1:] {
			var both []string
			for _, base := range one.Marathon {
				if slices.Contains(other.Marathon, base) {
					both = append(both, base)
				}
			}
			if len(both) > 0 {
				l.wrong.add(exitUsage, fmt.Sprintf("%s and %s have the same Marathon: %s", called(one), called(other), strings.Join(both, ", ")))
			}
		}
	}
}
