package render_test

import (
	"context"
	"encoding/pem"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
	"mlb/haproxy"
	"mlb/haproxy/certs"
	"mlb/haproxy/process"
	"mlb/haproxy/render"
	"mlb/test/haproxytest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func frame() render.Frame {
	return render.Frame{
		HTTPBind: "*:80", HTTPSBind: "*:443", AppIDBind: "*:9091", StatsBind: "*:9090",
		Certificates: []string{"/etc/ssl/cert.pem"}, MaxConn: 1000,
		StatsSocket: "/var/run/haproxy/socket", AdminSocket: "/var/run/haproxy/mlb.sock",
		MapDir: "/etc/haproxy", ServerStateFile: "/var/state/haproxy/global", Exporter: true, DefaultOptions: []string{"dontlognull", "http-server-close", "redispatch"},
	}
}

type noNames struct{}

func (noNames) Resolve(context.Context, []string) map[string]netip.Addr { return nil }

func (noNames) ResolveMore(context.Context, []string) map[string]netip.Addr { return nil }

// Every golden file holds Marathon's answer and the configuration that follows
// from it; HAProxy must accept each of them.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			golden(t, file)
		})
	}
}

func golden(t *testing.T, file string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	part := func(name string) string {
		for _, f := range archive.Files {
			if f.Name == name {
				return string(f.Data)
			}
		}
		return ""
	}
	apps, err := marathon.DecodeApps(strings.NewReader(part("apps.json")))
	if err != nil {
		t.Fatal(err)
	}
	deriver := marathon.NewDeriver(marathon.Options{
		Groups: []string{"*"}, MinServicePort: 10050, MaxServicePort: 10100, VerdictCapacity: 10,
	}, noNames{}, zap.NewNop())
	services, problems := deriver.Derive(t.Context(), apps)
	snapshot := discovery.NewSnapshot(services, problems)
	proxies, losers := haproxy.Claim(snapshot.Services, haproxy.Claims{
		DefaultAddress: "*", Own: []string{"*:80", "*:443", "*:9090", "*:9091"},
	})
	renderer, err := render.New(frame(), nil)
	if err != nil {
		t.Fatal(err)
	}
	text := renderer.Render(proxies)
	var said strings.Builder
	for _, p := range append(append(snapshot.Problems, losers...), text.Problems...) {
		said.WriteString(p.App + ": " + p.Reason + ": " + p.Detail + "\n")
	}
	_, config, _ := strings.Cut(text.Config.Text(), "dispatch unix@/var/run/haproxy/mlb.sock\n")
	accepted(t, text)
	var maps strings.Builder
	for _, f := range text.Config.Files {
		maps.WriteString(f.Name + ":\n" + f.Text)
	}
	if *update {
		archive.Files = []txtar.File{
			{Name: "apps.json", Data: []byte(part("apps.json"))},
			{Name: "problems", Data: []byte(said.String())},
			{Name: "haproxy.cfg", Data: []byte(config)},
			{Name: "maps", Data: []byte(maps.String())},
		}
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(part("haproxy.cfg"), config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(part("maps"), maps.String()); diff != "" {
		t.Errorf("maps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(part("problems"), said.String()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// accepted runs haproxy -c over the text, with its maps and a certificate that exists.
func accepted(t *testing.T, text render.Text) {
	t.Helper()
	binary := haproxytest.Binary(t)
	dir := t.TempDir()
	cert := filepath.Join(dir, "cert.pem")
	if _, err := certs.EnsureSelfSigned(cert); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(cert); err != nil {
		t.Fatal(err)
	} else if block, _ := pem.Decode(b); block == nil {
		t.Fatal("no certificate was made")
	}
	file := filepath.Join(dir, "haproxy.cfg")
	config := strings.NewReplacer("/etc/ssl/cert.pem", cert, "/etc/haproxy/", dir+"/").Replace(text.Config.Text())
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range text.Config.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := process.Check(t.Context(), binary, file); err != nil {
		t.Errorf("haproxy -c: %v\n%s", err, config)
	}
}
