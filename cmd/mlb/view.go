package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"mlb/admin"
	"mlb/discovery"
	"mlb/discovery/marathon"
	"mlb/haproxy"
)

// stuckAfter is how long one pass may take before mlb counts as dead.
const stuckAfter = 3 * time.Minute

// slowAfter is how long one pass may take before the routes cannot be relied on.
const slowAfter = 30 * time.Second

// GetConfig returns what HAProxy was started with, without passwords (D51).
func (v view) GetConfig() []byte { return haproxy.MaskPasswords([]byte(v.loop.Status().Loaded.Text())) }

// HostMap returns the map file of hosts as it is on disk.
func (v view) HostMap() []byte { return v.mapFile("domain2backend.map") }

// AppMap returns the map file of app IDs as it is on disk.
func (v view) AppMap() []byte { return v.mapFile("app2backend.map") }

// mapFile returns the text of a map file beside the configuration; nothing if there
// is none, or if routing is told not to use it (contract 8).
func (v view) mapFile(name string) []byte {
	if !v.cfg.HAProxyMap {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(v.cfg.HAProxyDir(), name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.log.Warn("read map", zap.String("file", name), zap.Error(err))
	}
	return text
}

// PIDs returns HAProxy's processes.
func (v view) PIDs() []int { return v.process.PIDs() }

// Problems returns those of the last pass.
func (v view) Problems() []discovery.Problem { return v.controller.Problems() }

// Workers returns HAProxy's workers with what they say now.
func (v view) Workers(ctx context.Context) (admin.Workers, error) {
	found, err := v.roster.Read(ctx)
	if err != nil {
		return admin.Workers{}, err
	}
	out := admin.Workers{HardStop: v.loop.Status().Loaded.HardStop()}
	for _, w := range found {
		one := admin.Worker{PID: w.PID, Old: w.Old, Age: w.Age, Reloads: w.Reloads, Connections: -1}
		if w.Answered {
			one.Connections = w.Connections
		}
		out.Workers = append(out.Workers, one)
	}
	return out, nil
}

// Live says whether the pass makes progress.
func (v view) Live() error {
	if busy := v.controller.Busy(); busy > stuckAfter {
		return fmt.Errorf("a pass has been running for %s", busy.Round(time.Second))
	}
	return nil
}

// Ready says why the routes cannot be relied on.
func (v view) Ready() error {
	var errs []error
	if !v.loop.Status().Running {
		errs = append(errs, errors.New("haproxy does not run"))
	}
	if busy := v.controller.Busy(); busy > slowAfter {
		errs = append(errs, fmt.Errorf("a pass has been running for %s", busy.Round(time.Second)))
	}
	for _, s := range v.sources.each {
		if err := v.behind(s.watcher.Status()); err != nil {
			errs = append(errs, s.cluster.named(err))
		}
	}
	switch last, ok := v.controller.Last(); {
	case !ok && len(errs) == 0:
		errs = append(errs, errors.New("no pass has ended yet"))
	case last.Error != "":
		errs = append(errs, errors.New("last pass: "+last.Error))
	}
	return errors.Join(errs...)
}

// Sources says how fresh the data of each cluster is.
func (v view) Sources() []admin.Source {
	var out []admin.Source
	for _, s := range v.sources.each {
		is := s.watcher.Status()
		one := admin.Source{
			Cluster: s.cluster.Name, Master: is.Source, Data: is.LastGood, List: is.LastList, Restored: is.Restored,
			Event: is.Stream.LastEvent, Byte: is.Stream.LastByte, Connected: is.Stream.Connected, Error: is.Error,
		}
		if h := is.Held; !h.Since.IsZero() {
			one.Held = &admin.Held{
				Since: h.Since, Endpoints: h.Endpoints, OfEndpoints: h.OfEndpoints, Apps: h.Apps, OfApps: h.OfApps, ConfirmationsLeft: h.Confirmations,
			}
		}
		out = append(out, one)
	}
	return out
}

// Release lets what is held back go, in all clusters.
func (v view) Release() bool {
	held := false
	for _, s := range v.sources.each {
		held = s.watcher.Release() || held
	}
	return held
}

// behind says why a cluster's routes cannot be relied on.
func (v view) behind(s marathon.Status) error {
	switch age := time.Since(s.LastGood); {
	case s.LastGood.IsZero():
		return errors.New("no answer from marathon yet")
	case s.Restored:
		return fmt.Errorf("no answer from marathon yet, what is served is %s old", age.Round(time.Second))
	case s.Failing && age > v.interval()+stale:
		return fmt.Errorf("data is %s old: %s", age.Round(time.Second), s.Error)
	}
	return nil
}

// interval is the longest time between two readings when all is well.
func (v view) interval() time.Duration {
	if v.cfg.Mode == ModePoll {
		return v.cfg.PollInterval
	}
	return v.cfg.ResyncInterval
}

// Refresh asks for a pass; in poll mode nobody takes such requests (contract 8).
func (v view) Refresh(reason string) bool {
	if v.cfg.Mode != ModeSSE {
		return false
	}
	v.sources.refresh(reason)
	return true
}

// Reload asks for a reload; in poll mode nobody takes such requests (contract 8).
func (v view) Reload(reason string) bool {
	if v.cfg.Mode != ModeSSE {
		return false
	}
	v.loop.Reload(reason)
	return true
}

// ReloadNow asks for a reload in every mode.
func (v view) ReloadNow(reason string) { v.loop.Reload(reason) }
