package main

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"mlb/discovery/marathon"
)

// sources look at all clusters, each for itself.
type sources struct {
	each  []*source
	close func() // after the last request
}

// newSources wires what looks at each cluster. Credentials are the same for all.
func newSources(ctx context.Context, cfg Config, reg prometheus.Registerer, log *zap.Logger) (*sources, error) {
	client, err := marathonTLS(cfg)
	if err != nil {
		return nil, err
	}
	credentials, err := authorizer(ctx, cfg, client)
	if err != nil {
		return nil, err
	}
	client.Credentials, client.Pods, client.Readiness = credentials, cfg.Pods, cfg.ReadinessCheck
	all := &sources{}
	all.close = func() {
		for _, s := range all.each {
			s.client.Close()
		}
		if logsIn, ok := credentials.(*marathon.DCOS); ok {
			logsIn.Close()
		}
	}
	for _, cluster := range cfg.clusters() {
		s, err := newSource(cfg, cluster, client, reg, log)
		if err != nil {
			all.close()
			return nil, cluster.named(err)
		}
		all.each = append(all.each, s)
	}
	return all, nil
}

// names returns the names of the clusters.
func (a *sources) names() []string {
	names := make([]string, len(a.each))
	for i, s := range a.each {
		names[i] = s.cluster.Name
	}
	return names
}

// refresh asks all clusters for a reading of everything.
func (a *sources) refresh(trigger string) {
	for _, s := range a.each {
		s.watcher.Refresh(trigger)
	}
}

// run follows all clusters until ctx is done or, in mode once, each has been read. An
// error ends it.
func (a *sources) run(ctx context.Context) error {
	watching, ctx := errgroup.WithContext(ctx)
	resolving, end := context.WithCancel(ctx)
	var resolvers errgroup.Group
	for _, s := range a.each {
		resolvers.Go(func() error { return s.resolver.Run(resolving) })
		watching.Go(func() error { return s.cluster.named(s.watcher.Run(ctx)) })
	}
	err := watching.Wait()
	end()
	if failed := resolvers.Wait(); err == nil {
		err = failed
	}
	return err
}

// named adds the name of the cluster to an error; nil stays nil.
func (c Cluster) named(err error) error {
	if c.Name == "" || err == nil {
		return err
	}
	return fmt.Errorf("cluster %s: %w", c.Name, err)
}

// log returns the log for what is about the cluster.
func (c Cluster) log(log *zap.Logger) *zap.Logger {
	if c.Name == "" {
		return log
	}
	return log.With(zap.String("cluster", c.Name))
}

// clusterRegistry returns where the metrics of a cluster are registered. They tell the
// clusters apart by a label as soon as one has a name; the series of the one without,
// whose label is empty, are to Prometheus what they are without the label.
func (c Config) clusterRegistry(cluster Cluster, reg prometheus.Registerer) prometheus.Registerer {
	if len(c.Clusters) == 0 {
		return reg
	}
	return prometheus.WrapRegistererWith(prometheus.Labels{"cluster": cluster.Name}, reg)
}
