package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"mlb/haproxy"
	"mlb/templates"
)

// asked runs "mlb templates" with variables and returns output, errors and status.
func asked(t *testing.T, environ []string, args ...string) (out, wrong string, status int) {
	t.Helper()
	var stdout, stderr strings.Builder
	status = run(t.Context(), append([]string{"mlb", "templates"}, args...), environ, &stdout, &stderr)
	return stdout.String(), stderr.String(), status
}

func TestTemplatesAreListed(t *testing.T) {
	t.Parallel()
	box := t.TempDir()
	writeTemplate(t, box, "BACKEND_HEAD", "backend {backend}\n")
	out, _, status := asked(t, []string{"MESOS_SANDBOX=" + box, `HAPROXY_HEAD=global\n`, "HAPROXY_USERLIST_HEAD="})
	if status != 0 || strings.Count(out, "\n") != len(templates.Table())+1 {
		t.Errorf("status %d:\n%s", status, out)
	}
	for name, want := range map[string][]string{
		"HAPROXY_HEAD":                         {"global", "raw", "variable HAPROXY_HEAD"},
		"HAPROXY_BACKEND_HEAD":                 {"per-app", "formatted", "file " + filepath.Join(box, "templates", "HAPROXY_BACKEND_HEAD")},
		"HAPROXY_USERLIST_HEAD":                {"per-app", "formatted", "default"},
		"HAPROXY_HTTPS_FRONTEND_AUTH_ACL_ONLY": {"global", "formatted", "default (never used)"},
	} {
		line := lineOf(out, name)
		if diff := cmp.Diff(append([]string{name}, strings.Fields(strings.Join(want, " "))...), strings.Fields(line)); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
	}
}

func lineOf(out, name string) string {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, name+" ") {
			return line
		}
	}
	return ""
}

func writeTemplate(t *testing.T, box, name, text string) {
	t.Helper()
	dir := filepath.Join(box, "templates")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "HAPROXY_"+name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTemplatesArePrinted(t *testing.T) {
	t.Parallel()
	own, err := templates.Default("BACKEND_HEAD")
	if err != nil {
		t.Fatal(err)
	}
	variable := []string{`HAPROXY_BACKEND_HEAD=backend {backend}\n  mode http\n`}
	const text = "backend {backend}\n  mode http\n"
	for rule, c := range map[string]struct {
		args   []string
		out    string
		status int
	}{
		"the text in effect":         {[]string{"HAPROXY_BACKEND_HEAD"}, text, 0},
		"a short name in any case":   {[]string{"backend_head"}, text, 0},
		"the default":                {[]string{"--default", "BACKEND_HEAD"}, own.Text, 0},
		"an empty one":               {[]string{"BACKEND_TCP_HEALTHCHECK_OPTIONS"}, "", 0},
		"several":                    {[]string{"BACKEND_HEAD", "BACKEND_STICKY_OPTIONS"}, "# HAPROXY_BACKEND_HEAD (variable HAPROXY_BACKEND_HEAD)\n" + text + "\n# HAPROXY_BACKEND_STICKY_OPTIONS (default)\n  cookie mesosphere_server_id insert indirect nocache\n", 0},
		"a name that is no template": {[]string{"NOPE"}, "", 2},
		"an unknown flag":            {[]string{"--nope"}, "", 2},
		"all, and names":             {[]string{"--all", "HEAD"}, "", 2},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			out, wrong, status := asked(t, variable, c.args...)
			if status != c.status || (wrong != "") != (c.status != 0) {
				t.Errorf("status %d, want %d: %s", status, c.status, wrong)
			}
			if diff := cmp.Diff(c.out, out); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
	if out, _, _ := asked(t, nil, "--all"); strings.Count(out, "# HAPROXY_") != len(templates.Table()) {
		t.Errorf("--all:\n%s", out)
	}
}

// Files that are there are somebody's work.
func TestTemplatesAreWrittenOnce(t *testing.T) {
	t.Parallel()
	box := t.TempDir()
	writeTemplate(t, box, "BACKEND_HEAD", "mine")
	dir := filepath.Join(box, "templates")
	out, wrong, status := asked(t, nil, "--dir", dir)
	if status != 0 {
		t.Fatal(wrong)
	}
	if !strings.Contains(out, "kept "+filepath.Join(dir, "HAPROXY_BACKEND_HEAD")) || strings.Count(out, "written ") != len(templates.Table())-1 {
		t.Errorf("output:\n%s", out)
	}
	// Copies of the defaults are defaults: nothing is replaced but the kept one.
	overrides, err := newOverrides(Config{SandboxTemplates: dir}, haproxy.Version{Major: 2, Minor: 6}, zap.NewNop())
	if diff := cmp.Diff(map[string]string{"BACKEND_HEAD": "mine"}, map[string]string(overrides)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, wrong, status := asked(t, nil, "--dir", filepath.Join(dir, "HAPROXY_HEAD")); status != 1 || !strings.Contains(wrong, "make folder") {
		t.Errorf("a file for a folder: status %d: %s", status, wrong)
	}
}

func TestD38AHeadThatCannotWorkEndsTheStart(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct {
		name, text string
		says       []string
	}{
		"a daemon":                 {"HEAD", `global\n  daemon\n  nbproc 2\n`, []string{"HAPROXY_HEAD (variable HAPROXY_HEAD)", "line 2: the directive daemon", "line 3: nbproc"}},
		"an old directive":         {"BACKEND_HEAD", `backend {backend}\n  rspadd X`, []string{"HAPROXY_BACKEND_HEAD", "line 2: rspadd", "http-response add-header"}},
		"a value to be filled in":  {"HEAD", `global\n  maxconn {maxConn}\n`, []string{"{maxConn}"}},
		"the word, and no sockets": {"HEAD", `global\n  # no daemon\n`, nil},
		"a process of 2.6":         {"FRONTEND_HEAD", `frontend {backend}\n  bind :1 process 1`, nil},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			_, err := newOverrides(Config{Templates: map[string]string{c.name: c.text}}, haproxy.Version{Major: 2, Minor: 6}, zap.NewNop())
			if len(c.says) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			start, ok := errors.AsType[*StartError](err)
			if !ok || start.ExitStatus() != exitUsage {
				t.Fatalf("error %v, want a usage error", err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
		})
	}
}

func TestACustomHeadTakesTheEffectOfTheHardStop(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct {
		templates map[string]string
		limit     time.Duration
		want      int
	}{
		"mlb's own HEAD":  {map[string]string{"BACKEND_HEAD": "backend {backend}\n"}, time.Second, 0},
		"a custom HEAD":   {map[string]string{"HEAD": "global\n"}, time.Second, 1},
		"no limit at all": {map[string]string{"HEAD": "global\n"}, 0, 0},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			core, logged := observer.New(zap.WarnLevel)
			if _, err := newOverrides(Config{Templates: c.templates, HardStopAfter: c.limit}, haproxy.Version{Major: 2, Minor: 6}, zap.New(core)); err != nil {
				t.Fatal(err)
			}
			if got := logged.FilterMessageSnippet("--hard-stop-after has no effect").Len(); got != c.want || logged.Len() != c.want {
				t.Errorf("%d warnings, want %d: %v", got, c.want, logged.All())
			}
		})
	}
}

func TestD39TemplatesWithoutUseAreReportedOnce(t *testing.T) {
	t.Parallel()
	core, logged := observer.New(zap.WarnLevel)
	overrides, err := newOverrides(Config{Templates: map[string]string{
		"HTTPS_FRONTEND_AUTH_ACL_ONLY": "x", "HTTPS_FRONTEND_AUTH_REQUEST_ONLY": "x",
		"HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH": "x", "BACKEND_HSTS_OPTIONS": "x",
	}}, haproxy.Version{}, zap.New(core))
	if err != nil || len(overrides) != 4 {
		t.Fatalf("%v, %v", overrides, err)
	}
	if logged.Len() != 3 {
		t.Errorf("%d warnings, want 3: %v", logged.Len(), logged.All())
	}
}
