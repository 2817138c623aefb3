package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlb/test/balancer"
)

// pair is a certificate for a name and its key, as a variable holds it.
func pair(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	return strings.ReplaceAll(text, "\n", `\n`)
}

// The container's variables that say what is served and logged (contract 1.4).
func TestVariablesOfTheContainer(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(
		t, c, app{id: "/web", port: 10001, instances: 1, labels: map[string]string{"HAPROXY_0_VHOST": "web.example"}},
		app{id: "/lb/self", port: 10002, instances: 1},
	)
	b := newBalancer(t, "external", c.Masters(), "--syslogd-socket", "received")
	sandbox := b.Path("sandbox")
	must(t, os.MkdirAll(filepath.Join(sandbox, "templates"), 0o755))
	must(t, os.WriteFile(filepath.Join(sandbox, "templates", "HAPROXY_BACKEND_HTTP_OPTIONS"), []byte("  http-response set-header X-Sandbox yes\n"), 0o600))
	b.Env = []string{
		"HAPROXY_SSL_CERT=" + pair(t, "first.example"), "HAPROXY_SSL_CERT0=" + pair(t, "zero.example"), "HAPROXY_SSL_CERT100=" + pair(t, "hundred.example"),
		"MESOS_SANDBOX=" + sandbox,
		"FRAMEWORK_NAME=lb/self",
		"HAPROXY_GLOBAL_DEFAULT_OPTIONS= dontlognull, ,redispatch,dontlognull",
		"HAPROXY_SYSLOGD=1", "SYSLOG_SOCKET=received",
		"HAPROXY_SYSCTL_PARAMS=net.no.such=1", "HAPROXY_SYSCTL_NONSTRICT=1",
		"TMPDIR=/nonexistent", "TINI_SUBREAPER=",
	}
	b.Start(t)
	b.WaitReady(t)
	exactly(t, c, "/web", 1, b.Port(10001, "/"))

	t.Run("D5 certificates in the order of their numbers, the first for who names none", func(t *testing.T) {
		for server, want := range map[string]string{"": "first.example", "zero.example": "zero.example", "hundred.example": "hundred.example"} {
			if a, err := b.Secure(server, "/").Send(t.Context()); err != nil || a.Certificate != want {
				t.Errorf("for %q: %q, %v, want %q", server, a.Certificate, err, want)
			}
		}
		info, err := os.Stat(b.Path("ssl/cert100.pem"))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode of a key's file: %s", info.Mode())
		}
	})
	t.Run("templates of the sandbox", func(t *testing.T) {
		a, err := b.Port(10001, "/").Send(t.Context())
		must(t, err)
		if got := a.Header.Get("X-Sandbox"); got != "yes" {
			t.Errorf("the header of the template is %q", got)
		}
	})
	t.Run("the balancer itself is skipped", func(t *testing.T) { closed(t, b.Port(10002, "/")) })
	t.Run("D6 default options are trimmed, and named once", func(t *testing.T) {
		text, err := b.Ask(t.Context(), "/_haproxy_getconfig")
		must(t, err)
		_, rest, _ := strings.Cut(text, "\ndefaults\n")
		defaults, _, _ := strings.Cut(rest, "\nlisten ")
		if !strings.Contains(defaults, "  option dontlognull\n  option redispatch\n") || strings.Contains(defaults, "http-server-close") {
			t.Errorf("defaults:\n%s", defaults)
		}
	})
	t.Run("D10 what others log is in the output, and mlb's log with it", func(t *testing.T) {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: b.Path("received"), Net: "unixgram"})
		must(t, err)
		defer conn.Close() //nolint:errcheck // it is written to only
		_, err = conn.Write([]byte("<134>haproxy[1]: a line of HAProxy's"))
		must(t, err)
		balancer.Eventually(t, "both are there", func() error {
			for _, want := range []string{"\n<134>haproxy[1]: a line of HAProxy's\n", "\n<14>"} {
				if !strings.Contains(b.Log(), want) {
					return fmt.Errorf("%q is not", want)
				}
			}
			return nil
		})
	})
	t.Run("a kernel parameter that is not there is reported", func(t *testing.T) {
		text, err := os.ReadFile(b.Path("log"))
		must(t, err)
		if !strings.Contains(string(text), "there is no net.no.such") {
			t.Error("it is not")
		}
	})
}

// Neither PORTS nor a kernel parameter may be missing.
func TestVariablesThatEndTheStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ env, says string }{
		"no ports":                  {"PORTS=", "PORTS is not set"},
		"no such kernel parameter":  {"HAPROXY_SYSCTL_PARAMS=net.no.such=1", "there is no net.no.such"},
		"an interval that is none":  {"POLL_INTERVAL=soon", "POLL_INTERVAL: neither"},
		"Vault's address is no URL": {"VAULT_URL=vault", "VAULT_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBalancer(t, "x", []string{"http://127.0.0.1:1"})
			b.Mode = "poll"
			b.Env = []string{"VAULT_TOKEN=x", tt.env}
			cmd := b.Prepare(t.Context(), b.Line()...)
			out, _ := cmd.CombinedOutput() // the status says it
			if status := cmd.ProcessState.ExitCode(); status < 1 || !strings.Contains(string(out), tt.says) {
				t.Errorf("status %d, want a failure that says %q\n%s", status, tt.says, out)
			}
		})
	}
}

// POLL_INTERVAL takes what the command sleep takes.
func TestPollIntervalOfTheEnvironment(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 1})
	b := newBalancer(t, "external", c.Masters())
	b.Mode, b.Env = "poll", []string{"POLL_INTERVAL=0.1s .1"}
	b.Start(t)
	exactly(t, c, "/web", 1, b.Port(10001, "/"))
	scale(t, c, "/web", 2)
	exactly(t, c, "/web", 2, b.Port(10001, "/"))

	before := b.Reloads(t)
	reload := b.Prepare(t.Context(), "reload", "--socket-dir", b.Path("run"))
	if out, err := reload.CombinedOutput(); err != nil {
		t.Fatalf("mlb reload: %v\n%s", err, out)
	}
	balancer.Eventually(t, "HAProxy is reloaded", func() error {
		if b.Reloads(t) <= before {
			return errors.New("not yet")
		}
		return nil
	})
}

// A kernel parameter is set before HAProxy starts. The parameter belongs to a network
// namespace, which mlb gets of its own.
func TestKernelParametersAreSet(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	const parameter = "net/ipv4/ip_forward"
	b := newBalancer(t, "x", []string{"http://127.0.0.1:1"})
	b.Env = []string{"HAPROXY_SYSCTL_PARAMS=net.ipv4.ip_forward=1  net/ipv4/ip_default_ttl=77"}
	out, err := os.Create(b.Path("log"))
	must(t, err)
	defer out.Close() //nolint:errcheck // the process has its own copy
	cmd := b.Prepare(context.WithoutCancel(t.Context()), b.Line()...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setpgid: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
	})
	read := func(parameter string) string {
		cat := exec.CommandContext(t.Context(), "nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", cmd.Process.Pid), "cat", "/proc/sys/"+parameter)
		text, _ := cat.Output() // what is missing is not the value
		return strings.TrimSpace(string(text))
	}
	balancer.Eventually(t, "the parameters have their values", func() error {
		if forward, ttl := read(parameter), read("net/ipv4/ip_default_ttl"); forward != "1" || ttl != "77" {
			return fmt.Errorf("%q and %q", forward, ttl)
		}
		return nil
	})
}

// HEADs written for marathon-lb load its Lua files and use their services; those that
// mlb ships have the same names.
func TestD38LuaServicesOfCustomHeads(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	deploy(t, c, app{id: "/web", port: 10001, instances: 1, labels: map[string]string{"HAPROXY_0_VHOST": "web.example"}})
	b := newBalancer(t, "external", c.Masters(), "--haproxy-map")
	lua, err := filepath.Abs(filepath.Join("..", "..", "lua"))
	must(t, err)
	services := map[string]string{
		"getpids": "/_haproxy_getpids", "getconfig": "/_haproxy_getconfig", "getvhostmap": "/_haproxy_getvhostmap",
		"getappmap": "/_haproxy_getappmap", "signalmlbhup": "/_mlb_signal/hup", "signalmlbusr1": "/_mlb_signal/usr1",
	}
	var head strings.Builder
	head.WriteString("global\n  maxconn 100\n")
	for _, file := range []string{"getpids", "getconfig", "getmaps", "signalmlb"} {
		fmt.Fprintf(&head, "  lua-load %s/%s.lua\n", lua, file)
	}
	fmt.Fprintf(&head, "  stats socket %s expose-fd listeners\n", b.Path("run/socket"))
	head.WriteString("defaults\n  mode http\n  timeout connect 3s\n  timeout client 30s\n  timeout server 30s\n")
	fmt.Fprintf(&head, "listen stats\n  bind %s:9090\n  monitor-uri /_haproxy_health_check\n", b.Host)
	for service, path := range services {
		fmt.Fprintf(&head, "  http-request use-service lua.%s if { path %s }\n", service, path)
	}
	b.Env = []string{"HAPROXY_HEAD=" + strings.ReplaceAll(head.String(), "\n", `\n`)}
	b.Start(t)
	exactly(t, c, "/web", 1, b.Port(10001, "/"))
	for service, want := range map[string]string{
		"getpids": " ", "getconfig": "lua-load", "getvhostmap": "web.example web_10001", "getappmap": "/web web_10001",
		"signalmlbhup": "Sent SIGHUP signal to marathon-lb", "signalmlbusr1": "Sent SIGUSR1 signal to marathon-lb",
	} {
		balancer.Eventually(t, "lua."+service, func() error {
			got, err := b.Ask(t.Context(), services[service])
			if err == nil && !strings.Contains(got, want) {
				err = fmt.Errorf("%q, want %q", got, want)
			}
			return err
		})
	}
}
