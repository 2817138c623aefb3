package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"mlb/templates"
)

// templateQuestion is what "mlb templates" is asked for.
type templateQuestion struct {
	// names are the templates, without HAPROXY_; empty for all.
	names []string
	// texts asks for texts instead of the list, own for mlb's own ones.
	texts, own bool
	// dir is the folder to write to; empty for printing.
	dir string
}

// showTemplates lists the templates, prints their texts or writes them as files.
func showTemplates(cfg Config, stdout io.Writer) error {
	question, done, err := readTemplateQuestion(cfg.Args, stdout)
	if done {
		return err
	}
	all, err := effectiveTemplates(cfg)
	if err != nil {
		return err
	}
	var wanted []effectiveTemplate
	for _, t := range all {
		if len(question.names) > 0 && !slices.Contains(question.names, t.Name) {
			continue
		}
		if question.own {
			own, err := templates.Default(t.Name)
			if err != nil {
				return err
			}
			t.text, t.source = own.Text, sourceDefault
		}
		wanted = append(wanted, t)
	}
	switch {
	case question.dir != "":
		return writeTemplates(question.dir, wanted, stdout)
	case question.texts:
		return printTemplates(wanted, stdout)
	}
	return listTemplates(wanted, stdout)
}

// readTemplateQuestion reads the words after "templates". Names may have the prefix
// HAPROXY_ and any case. It is done if they ask for help or are wrong.
func readTemplateQuestion(args []string, stdout io.Writer) (q templateQuestion, done bool, err error) {
	flags := pflag.NewFlagSet("mlb templates", pflag.ContinueOnError)
	all := flags.Bool("all", false, "print the texts of all templates")
	flags.BoolVar(&q.own, "default", false, "mlb's own texts, whatever replaces them here")
	flags.StringVar(&q.dir, "dir", "", "write each text as a file in this folder, unless the file is there")
	if done, err := parseWords(flags, "[TEMPLATE ...]", args, stdout); done {
		return q, true, err
	}
	var errs []error
	for _, arg := range flags.Args() {
		name := strings.TrimPrefix(strings.ToUpper(arg), templatePrefix)
		if _, ok := templates.Lookup(name); !ok {
			errs = append(errs, fmt.Errorf("%s: %w; mlb templates lists them", arg, templates.ErrUnknown))
		}
		q.names = append(q.names, name)
	}
	if *all && len(q.names) > 0 {
		errs = append(errs, errors.New("mlb templates: --all or names, not both"))
	}
	q.texts = *all || q.own || len(q.names) > 0
	if err := errors.Join(errs...); err != nil {
		return q, true, usageError(err)
	}
	return q, false, nil
}

// listTemplates prints a line for each template.
func listTemplates(list []effectiveTemplate, stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(w, "TEMPLATE\tSCOPE\tFORMAT\tSOURCE\n"); err != nil {
		return err
	}
	for _, t := range list {
		note := ""
		if t.Unused {
			note = " (never used)"
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s%s\n", t.Variable(), t.Scope, t.Format, t.source, note); err != nil {
			return err
		}
	}
	return w.Flush()
}

// printTemplates prints texts; one alone as it is, so that it can be redirected to a
// file, several with a comment before each.
func printTemplates(list []effectiveTemplate, stdout io.Writer) error {
	for i, t := range list {
		text := t.text
		if len(list) > 1 {
			text = "# " + t.Variable() + " (" + t.source + ")\n" + strings.Trim(text, "\n") + "\n"
			if i > 0 {
				text = "\n" + text
			}
		}
		if _, err := io.WriteString(stdout, text); err != nil {
			return err
		}
	}
	return nil
}

// writeTemplates writes each text as a file that mlb reads as a template. A file that
// is there stays as it is.
func writeTemplates(dir string, list []effectiveTemplate, stdout io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // templates are no secret.
		return fmt.Errorf("make folder: %w", err)
	}
	for _, t := range list {
		file := filepath.Join(dir, t.Variable())
		done := "written"
		err := writeNew(file, t.text)
		if errors.Is(err, os.ErrExist) {
			err, done = nil, "kept"
		}
		if err == nil {
			_, err = fmt.Fprintf(stdout, "%s %s\n", done, file)
		}
		if err != nil {
			return fmt.Errorf("write template: %w", err)
		}
	}
	return nil
}

// writeNew writes a file that must not exist.
func writeNew(file, text string) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // the user named the folder.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteString(text)
	return err
}
