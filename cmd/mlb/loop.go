package main

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/process"
	"mlb/haproxy/runtime"
)

// imageReload is the reload command that the image of marathon-lb gave its updater.
// In the container form it means what happens without a command.
const imageReload = "/marathon-lb/reload_haproxy.sh"

// masterVariable tells a reload command where the master's socket is.
const masterVariable = "HAPROXY_MASTER_SOCKET"

// onlyPass is how long the only pass waits for the check of its text: there is no later
// one that could make use of the verdict.
const onlyPass = time.Hour

// foreign says that HAProxy is somebody else's: mlb runs one of its own in the
// container form only (contract 1.1 and 7).
func (c Config) foreign() bool { return !c.Container }

// newLoop returns the loop that applies configurations, and what knows HAProxy's
// processes and workers.
func newLoop(ctx context.Context, cfg Config, features process.Features, again func(), reg prometheus.Registerer, log *zap.Logger) (*apply.Loop, processes, *runtime.Roster) {
	ours := apply.Config{
		File: cfg.HAProxyConfig, StateDir: cfg.StateDir, Binary: cfg.HAProxyBinary,
		MinReloadInterval: cfg.MinReloadInterval, StopTimeout: cfg.StopTimeout, DrainTimeout: cfg.DrainTimeout,
		ServerStateFile: cfg.serverStateFile(),
		SkipValidation:  cfg.SkipValidation, ArchiveVersions: cfg.ArchiveVersions, StopHAProxy: true, Again: again,
	}
	if cfg.Mode == ModeOnce {
		ours.CheckPatience = onlyPass
	}
	version := haproxy.Version{Major: features.Major, Minor: features.Minor}
	metrics := apply.NewMetrics(reg)
	names := []string{"haproxy", filepath.Base(cfg.HAProxyBinary)}
	command := process.CommandConfig{
		Words: cfg.Command, Runs: cfg.MaxReloadRetries, Interval: cfg.ReloadInterval, Names: names,
	}
	if cfg.foreign() {
		if len(command.Words) == 0 {
			command.Words = process.InitCommand("/")
		}
		log.Info("haproxy is run by somebody else", zap.Strings("command", command.Words))
		ours.Command, ours.StopHAProxy = process.NewCommand(command, log.Named("haproxy")), false
		theirs := process.NewForeign(cfg.StateDir, names)
		socket := runtimeSocket(ctx, cfg.RuntimeSocket, log)
		return apply.NewForeign(ours, theirs, socket, version, log.Named("apply"), metrics), theirs, newRoster(socket, reg)
	}
	if len(command.Words) > 0 {
		command.Environ = []string{masterVariable + "=" + cfg.masterSocket()}
		ours.Command = process.NewCommand(command, log.Named("haproxy"))
	}
	p := process.New(process.Config{
		Binary: cfg.HAProxyBinary, ConfigFile: cfg.HAProxyConfig, MasterSocket: cfg.masterSocket(),
		StateDir: cfg.StateDir, Sockets: []string{cfg.statsSocket()},
		Environ: []string{socketVariable + "=" + cfg.SocketDir},
	}, log.Named("haproxy"))
	return apply.New(ours, p, p.Socket(), version, log.Named("apply"), metrics), p, newRoster(p.Socket(), reg)
}

// newRoster returns the roster of the workers behind a socket, nil for none, and has
// its metrics shown.
func newRoster(socket *runtime.Socket, reg prometheus.Registerer) *runtime.Roster {
	r := runtime.NewRoster(socket)
	reg.MustRegister(r)
	return r
}

// processes knows the processes of HAProxy.
type processes interface{ PIDs() []int }

// runtimeSocket returns the socket of somebody else's HAProxy: that of the master if
// it answers as one does, else a stats socket. Nil without a path.
func runtimeSocket(ctx context.Context, path string, log *zap.Logger) *runtime.Socket {
	if path == "" {
		return nil
	}
	log = log.Named("haproxy")
	master := runtime.NewMasterSocket(path, log)
	if _, err := master.Processes(ctx); err == nil {
		return master
	}
	return runtime.NewStatsSocket(path, log)
}

// completeCommand settles what the options about reloading mean together.
func (l *loader) completeCommand() {
	d := &l.draft
	if d.Container && slices.Equal(d.Command, []string{imageReload}) {
		d.Command = nil
	}
	if d.Container && d.RuntimeSocket != "" {
		l.wrong.add(exitUsage, "--runtime-socket is for an HAProxy that somebody else runs; this one has a socket of mlb's")
	}
}
