package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	"mlb/haproxy"
	"mlb/haproxy/render"
	"mlb/templates"
)

// effectiveTemplate is the text of a template for all services and where it comes
// from.
type effectiveTemplate struct {
	templates.Entry
	text string
	// source is "default", "file" with a path or "variable" with a name.
	source string
	// replaced says that the text is not mlb's own.
	replaced bool
}

const sourceDefault = "default"

// effectiveTemplates returns all templates with their texts: files in the folder
// templates of the working directory and of the Mesos sandbox, and variables, replace
// the defaults, the later ones winning (contract 1.1 step 4 and 5.1). A text that is
// equal to the default is one.
func effectiveTemplates(cfg Config) ([]effectiveTemplate, error) {
	table := templates.Table()
	out := make([]effectiveTemplate, 0, len(table))
	for _, entry := range table {
		own, err := templates.Default(entry.Name)
		if err != nil {
			return nil, err
		}
		t := effectiveTemplate{Entry: entry, text: own.Text, source: sourceDefault}
		for _, dir := range []string{"templates", cfg.SandboxTemplates} {
			if dir == "" {
				continue
			}
			file := filepath.Join(dir, entry.Variable())
			b, err := os.ReadFile(file)
			switch {
			case err == nil:
				t.text, t.source = string(b), "file "+file
			case !os.IsNotExist(err):
				return nil, fmt.Errorf("read template: %w", err)
			}
		}
		if text, ok := cfg.Templates[entry.Name]; ok {
			t.text, t.source = strings.ReplaceAll(text, `\n`, "\n"), "variable "+entry.Variable()
		}
		t.replaced = t.text != own.Text
		out = append(out, t)
	}
	return out, nil
}

// newOverrides returns the texts that replace the defaults, for HAProxy of a branch.
// What HAProxy could not run with is a usage error that names source, line and rule
// (D28, D38); a template that is never used is reported (D39).
func newOverrides(cfg Config, version haproxy.Version, log *zap.Logger) (render.Overrides, error) {
	all, err := effectiveTemplates(cfg)
	if err != nil {
		return nil, err
	}
	out := render.Overrides{}
	var errs []error
	for _, t := range all {
		if !t.replaced {
			continue
		}
		check := haproxy.CheckTemplate
		if t.Name == "HEAD" {
			check = haproxy.CheckHead
			if cfg.HardStopAfter > 0 {
				log.Warn("custom HEAD: --hard-stop-after has no effect, the HEAD can have hard-stop-after in its section global")
			}
		}
		for _, err := range []error{check(t.text, version), checkRaw(t)} {
			if err != nil {
				errs = append(errs, fmt.Errorf("template %s (%s): %w", t.Variable(), t.source, err))
			}
		}
		if t.Unused {
			log.Warn("template without effect: no template of this name is ever used",
				zap.String("template", t.Variable()), zap.String("source", t.source))
		}
		out[t.Name] = t.text
	}
	if len(errs) > 0 {
		return nil, usageError(errors.Join(errs...))
	}
	return out, nil
}

// checkRaw refuses an edited copy of a raw default in which a value of the instance
// still has to be written: raw texts are taken as they are.
func checkRaw(t effectiveTemplate) error {
	for _, name := range t.Own {
		if t.Format == templates.Raw && strings.Contains(t.text, "{"+name+"}") {
			return fmt.Errorf("{%s} is not filled in, because this template is taken as it is; write the value (mlb render shows it)", name)
		}
	}
	return nil
}
