package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"mlb/discovery/lastgood"
	"mlb/discovery/marathon"
	"mlb/haproxy"
	"mlb/haproxy/certs"
	"mlb/haproxy/process"
	"mlb/haproxy/render"
)

// haproxyUser is the user and group that HAProxy's worker drops to when mlb runs
// as root and the system has them.
const haproxyUser = "haproxy"

// paths are the sockets of one instance.
func (c Config) masterSocket() string { return filepath.Join(c.SocketDir, "master.sock") }
func (c Config) statsSocket() string  { return filepath.Join(c.SocketDir, "socket") }
func (c Config) adminSocket() string  { return filepath.Join(c.SocketDir, "mlb.sock") }

// serverStateFile is where the next worker learns which servers are dead.
func (c Config) serverStateFile() string { return filepath.Join(c.ServerStateDir, "global") }

// newRegistry returns a registry with the process's own metrics in it.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// newFrame collects what the configuration says besides services.
func newFrame(cfg Config, features process.Features, log *zap.Logger) (render.Frame, error) {
	_, hard, err := process.FileLimit()
	if err != nil {
		return render.Frame{}, err
	}
	maxConn, reduced := MaxConn(hard)
	if reduced {
		log.Warn("the hard limit of open files bounds the number of connections",
			zap.Uint64("limit", hard), zap.Int("maxconn", maxConn))
	}
	if !features.Exporter {
		log.Warn("haproxy has no prometheus exporter, /metrics is left out")
	}
	frame := render.Frame{
		HTTPBind: cfg.HTTP.String(), HTTPSBind: cfg.HTTPS.String(), AppIDBind: cfg.AppID.String(), StatsBind: cfg.Stats.String(),
		NoHTTP: cfg.DontBindHTTPAndHTTPS, Certificates: cfg.Certificates.List, MaxConn: maxConn,
		StatsSocket: cfg.statsSocket(), AdminSocket: cfg.adminSocket(),
		ServerStateFile: cfg.serverStateFile(), HardStopAfter: cfg.HardStopAfter,
		Exporter: features.Exporter, DefaultOptions: cfg.DefaultOptions,
		Version: haproxy.Version{Major: features.Major, Minor: features.Minor},
		MapDir:  cfg.HAProxyDir(), Map: cfg.HAProxyMap, Grouped: cfg.GroupHTTPSByVhost, HTTP2: cfg.HTTP2,
		TemplateLabels: cfg.TemplateLabels.Allow,
	}
	if cfg.HTTP2 {
		frame.CertificateHosts = certificateHosts(cfg.Certificates.List, log)
	}
	if os.Geteuid() == 0 {
		if _, err := user.Lookup(haproxyUser); err == nil {
			frame.User, frame.Group = haproxyUser, haproxyUser
		}
	}
	return frame, nil
}

// certificateHosts returns what the certificates of the HTTPS listener stand for.
// What cannot be read is HAProxy's to refuse; here it only means that a browser opens
// one more connection.
func certificateHosts(files []string, log *zap.Logger) []render.CertificateHost {
	hosts, err := certs.Hosts(files)
	if err != nil {
		log.Warn("names of certificates are not known", zap.Error(err))
	}
	out := make([]render.CertificateHost, len(hosts))
	for i, h := range hosts {
		out[i] = render.CertificateHost{Fingerprint: h.Fingerprint, Host: h.Name}
	}
	return out
}

// newClaims says which addresses are mlb's own.
func newClaims(cfg Config) haproxy.Claims {
	c := haproxy.Claims{DefaultAddress: cfg.BindAddress, Own: []string{cfg.AppID.String(), cfg.Stats.String()}}
	if !cfg.DontBindHTTPAndHTTPS {
		c.Own = append(c.Own, cfg.HTTP.String(), cfg.HTTPS.String())
	}
	if cfg.AdminListen != "" {
		c.Own = append(c.Own, cfg.AdminListen)
	}
	return c
}

// writeCertificates makes the certificate files that HAProxy needs at start
// (contract 1.1 step 3, D4).
func writeCertificates(c Certificates) error {
	files := make([]certs.File, len(c.Files))
	var bad []error
	for i, f := range c.Files {
		files[i] = certs.File{Path: f.Path, PEM: []byte(f.PEM.Reveal())}
		bad = append(bad, files[i].Check())
	}
	if err := errors.Join(bad...); err != nil { // the files that serve stay
		return fmt.Errorf("%s: %w", certificateVariable, err)
	}
	if err := certs.WriteFiles(files); err != nil {
		return err
	}
	if c.SelfSigned != "" {
		if err := os.MkdirAll(filepath.Dir(c.SelfSigned), 0o755); err != nil { //nolint:gosec // /etc/ssl is public.
			return fmt.Errorf("make folder of certificates: %w", err)
		}
		if _, err := certs.EnsureSelfSigned(c.SelfSigned); err != nil {
			return err
		}
	}
	return nil
}

// certificateFolders returns where files that bind options name may be: in the
// image's folder of certificates and in those of the given certificates, which are
// files or folders (contract 10.3). The root is never one.
func certificateFolders(list []string) []string {
	folders := []string{"/etc/ssl"}
	for _, name := range list {
		folder, err := filepath.Abs(name)
		if err != nil {
			continue
		}
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			folder = filepath.Dir(folder)
		}
		if folder != "/" && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	return folders
}

// source is everything that looks at one cluster.
type source struct {
	cluster  Cluster
	client   *marathon.Client
	stream   *marathon.Stream
	resolver *marathon.Resolver
	deriver  *marathon.Deriver
	metrics  *marathon.Metrics
	log      *zap.Logger
	terms    string            // on which the deriver works
	watcher  *marathon.Watcher // nil where nobody follows
	keeper   *lastgood.Keeper  // the same
}

// newSource wires the client, the stream and the derivation for one cluster. Nobody asks
// one cluster's Resolver for the names of another: it keeps those of its last pass.
func newSource(cfg Config, cluster Cluster, client marathon.ClientConfig, reg prometheus.Registerer, log *zap.Logger) (*source, error) {
	masters, err := marathon.NewMasters(cluster.Marathon)
	if err != nil {
		return nil, err
	}
	s := &source{cluster: cluster, log: cluster.log(log).Named("marathon"), metrics: marathon.NewMetrics(cfg.clusterRegistry(cluster, reg))}
	if s.client, err = marathon.NewClient(client, masters, s.metrics); err != nil {
		return nil, fmt.Errorf("--marathon-ca-cert: %w", err)
	}
	s.stream = marathon.NewStream(marathon.StreamConfig{MaxBackoff: cfg.MaxBackoff}, s.client, s.log, s.metrics)
	s.resolver = marathon.NewResolver(net.DefaultResolver, marathon.ResolverOptions{Capacity: cfg.LRUCacheCapacity},
		func() { s.watcher.Refresh("address changed") }, s.log)
	options := marathon.Options{
		Cluster: cluster.Name,
		Groups:  cfg.Groups, StrictMode: cfg.Strict, HealthCheck: cfg.HealthCheck, Readiness: cfg.ReadinessCheck,
		MinServicePort: cfg.MinServicePort, MaxServicePort: cfg.MaxServicePort,
		Framework: cfg.FrameworkName, VerdictCapacity: cfg.LRUCacheCapacity,
		CertificateFolders: certificateFolders(cfg.Certificates.List),
	}
	s.terms = termsOf(options, cfg.Pods)
	s.deriver = marathon.NewDeriver(options, s.resolver, s.log)
	return s, nil
}

// probe looks at the HAProxy binary and says which one is needed if it will not
// do. Somebody else's HAProxy may be elsewhere if nothing is to be checked with it;
// then it is taken for the oldest that is known to do.
func probe(ctx context.Context, cfg Config) (process.Features, error) {
	features, err := process.Probe(ctx, cfg.HAProxyBinary)
	if errors.Is(err, process.ErrMissing) && cfg.foreign() && cfg.SkipValidation {
		return process.Features{Major: 2, Minor: 6, Exporter: true}, nil
	}
	return features, err
}
