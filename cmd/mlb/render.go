package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/process"
	"mlb/haproxy/render"
)

// printConfig prints the configuration that one reading of Marathon leads to and
// touches nothing (D8).
func printConfig(ctx context.Context, cfg Config, stdout, stderr io.Writer) error {
	log, closeLog := openLog(cfg.Log, stderr)
	defer func() { _ = closeLog() }()
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	features, err := probe(ctx, cfg)
	if errors.Is(err, process.ErrMissing) {
		log.Warn("haproxy is not installed here, a complete one is assumed")
		features = process.Features{Exporter: true}
	} else if err != nil {
		return err
	}
	frame, err := newFrame(cfg, features, log)
	if err != nil {
		return err
	}
	overrides, err := newOverrides(cfg, frame.Version, log)
	if err != nil {
		return err
	}
	renderer, err := render.New(frame, overrides)
	if err != nil {
		return usageError(err)
	}
	all, err := newSources(ctx, cfg, newRegistry(), log)
	if err != nil {
		return err
	}
	defer all.close()
	var served []discovery.Service
	var problems []discovery.Problem
	apps := 0
	for _, s := range all.each {
		answer, failed := s.client.Apps(ctx)
		if failed != nil {
			return s.cluster.named(failed)
		}
		apps += len(answer.Apps)
		found := discovery.NewSnapshot(s.deriver.Derive(ctx, answer.Apps)).Of(s.cluster.Name)
		problems = append(problems, found.Problems...)
		for _, one := range found.Services {
			if len(one.Endpoints) > 0 {
				served = append(served, one)
			}
		}
	}
	proxies, losers := haproxy.Claim(served, newClaims(cfg))
	text := renderer.Render(proxies)
	for _, list := range [][]discovery.Problem{problems, losers, haproxy.HostConflicts(proxies), text.Problems} {
		for _, p := range list {
			log.Warn("problem", zap.String("app", p.App), zap.Int("port_index", p.PortIndex), zap.String("label", p.Label),
				zap.String("value", p.Value), zap.String("reason", p.Reason), zap.String("detail", p.Detail))
		}
	}
	if len(proxies) == 0 {
		log.Warn("no service", zap.Int("apps", apps), zap.Strings("group", cfg.Groups))
	}
	_, err = io.WriteString(stdout, text.Config.Text()+commentedMaps(text.Config.Files))
	return err
}

// commentedMaps writes maps as comments for people who want to see what leads where.
func commentedMaps(files []haproxy.File) string {
	var b strings.Builder
	for _, f := range files {
		if f.Text == "" {
			continue
		}
		b.WriteString("\n# " + f.Name + "\n")
		for line := range strings.Lines(f.Text) {
			b.WriteString("#   " + line)
		}
	}
	return b.String()
}
