// Command licences finds out under which licences the project's libraries are.
//
// It is run from the tools module and takes the project's root as argument:
//
//	go -C tools run ./licences ..            # prints the table of NOTICE
//	go -C tools run ./licences -write ..     # puts it into NOTICE
//	go -C tools run ./licences -texts D ..   # copies the licence texts into D
//
// The table names the modules that go.mod requires directly; the texts are those
// of every module that is linked into the program, as a distributor needs them.
// A licence that the command does not recognise is an error: somebody has to
// read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	texts := flag.String("texts", "", "copy the licence texts of all linked modules into this `directory`")
	write := flag.Bool("write", false, "write the table into NOTICE")
	flag.Parse()
	root := "."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}
	if err := run(context.Background(), root, *texts, *write); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// run does one of the three deeds of the command on the module at root.
func run(ctx context.Context, root, texts string, write bool) error {
	if texts != "" {
		modules, err := linkedModules(ctx, root)
		if err != nil {
			return err
		}
		return copyTexts(modules, texts)
	}
	modules, err := directModules(ctx, root)
	if err != nil {
		return err
	}
	table, err := formatTable(modules)
	if err != nil {
		return err
	}
	if !write {
		_, err := os.Stdout.WriteString(table)
		return err
	}
	return replaceTable(filepath.Join(root, "NOTICE"), table)
}

// module is one library at the version that go.mod selects.
type module struct {
	path, version, dir string
}

// directModules returns the modules that go.mod requires itself, sorted by path.
func directModules(ctx context.Context, root string) ([]module, error) {
	return listModules(ctx, root, "list", "-m", "-f",
		`{{if not (or .Main .Indirect)}}{{.Path}} {{.Version}} {{.Dir}}{{end}}`, "all")
}

// linkedModules returns the modules that the program is linked from, sorted by
// path. The standard library is not among them.
func linkedModules(ctx context.Context, root string) ([]module, error) {
	return listModules(ctx, root, "list", "-deps", "-f",
		`{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}`, "./cmd/mlb")
}

// listModules runs go list and reads one module per line.
func listModules(ctx context.Context, root string, args ...string) ([]module, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", args[0], err)
	}
	var modules []module
	for line := range strings.Lines(string(out)) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(fields) < 3 || fields[2] == "" {
			if fields[0] != "" {
				return nil, fmt.Errorf("module %s is not in the module cache; run go mod download", fields[0])
			}
			continue
		}
		modules = append(modules, module{path: fields[0], version: fields[1], dir: fields[2]})
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(modules), nil
}

// licenceFiles returns the names of the files in which m states its licence.
func licenceFiles(m module) ([]string, error) {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		upper := strings.ToUpper(entry.Name())
		for _, prefix := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE"} {
			if entry.Type().IsRegular() && strings.HasPrefix(upper, prefix) && !strings.HasSuffix(upper, ".GO") {
				names = append(names, entry.Name())
				break
			}
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("module %s has no licence file", m.path)
	}
	return names, nil
}

// spdx returns the SPDX name of the licence that text states, or "" when it is
// none that this command knows.
func spdx(text string) string {
	text = regexp.MustCompile(`\s+`).ReplaceAllString(text, " ")
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case has("Apache License") && has("Version 2.0"):
		return "Apache-2.0"
	case has("Mozilla Public License") && (has("Version 2.0") || has("version 2.0")):
		return "MPL-2.0"
	case has("Permission is hereby granted, free of charge"):
		return "MIT"
	case has("Permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted") && has("and this permission notice appear in all copies"):
		return "ISC"
	case has("Redistribution and use in source and binary forms") && (has("Neither the name") || has("name of the copyright holder")):
		return "BSD-3-Clause"
	case has("Redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	}
	return ""
}

// licenceOf returns the SPDX name of m's licence.
func licenceOf(m module) (string, error) {
	names, err := licenceFiles(m)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil {
			return "", err
		}
		if id := spdx(string(text)); id != "" {
			return id, nil
		}
	}
	return "", fmt.Errorf("module %s: licence not recognised, read %s", m.path, strings.Join(names, ", "))
}

// formatTable returns one line per module: its path, padded, and its licence.
func formatTable(modules []module) (string, error) {
	var table strings.Builder
	var errs []error
	for _, m := range modules {
		id, err := licenceOf(m)
		errs = append(errs, err)
		fmt.Fprintf(&table, "  %-44s %s\n", m.path, id)
	}
	return table.String(), errors.Join(errs...)
}

// replaceTable replaces the indented lines of the file by table.
func replaceTable(file, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := slices.Collect(strings.Lines(string(text)))
	isRow := func(line string) bool { return strings.HasPrefix(line, "  ") }
	first := slices.IndexFunc(lines, isRow)
	if first < 0 {
		return fmt.Errorf("%s has no indented table to replace", file)
	}
	rest := slices.DeleteFunc(slices.Clone(lines[first:]), isRow)
	out := strings.Join(lines[:first], "") + table + strings.Join(rest, "")
	return os.WriteFile(file, []byte(out), 0o644)
}

// copyTexts copies the licence files of all modules into directories below dir
// that are named like the modules.
func copyTexts(modules []module, dir string) error {
	for _, m := range modules {
		names, err := licenceFiles(m)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(m.path))
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(m.dir, name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(to, name), text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
