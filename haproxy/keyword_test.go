package haproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mlb/haproxy"
	"mlb/test/haproxytest"
)

// optionArguments are the options of server lines with arguments that HAProxy
// would take, and what else has to be in the line.
func optionArguments() map[string]string {
	return map[string]string{
		"addr": "127.0.0.1", "agent-addr": "127.0.0.1", "agent-check": " agent-port 9", "agent-inter": "2s", "agent-port": "9",
		"agent-send": "x", "allow-0rtt": "", "alpn": "h2", "backup": "", "check": "", "check-alpn": "h2", "check-proto": "h1",
		"check-send-proxy": "", "check-sni": "x", "check-ssl": " verify none", "check-via-socks4": "", "ciphers": "ALL",
		"ciphersuites": "TLS_AES_128_GCM_SHA256", "cookie": "x", "disabled": "", "downinter": "1s", "enabled": "",
		"error-limit": "3", "fall": "2", "fastinter": "1s", "force-sslv3": "", "force-tlsv10": "", "force-tlsv11": "",
		"force-tlsv12": "", "force-tlsv13": "", "guid": "x", "hash-key": "id", "id": "77", "idle-ping": "5s",
		"init-addr": "last", "init-state": "up", "inter": "2s", "log-bufsize": "100", "log-proto": "legacy", "max-reuse": "5",
		"maxconn": "9", "maxqueue": "9", "minconn": "9", "namespace": "x", "no-agent-check": "", "no-backup": "", "no-check": "",
		"no-check-ssl": "", "no-send-proxy": "", "no-send-proxy-v2": "", "no-ssl": "", "no-ssl-reuse": "", "no-sslv3": "",
		"no-tls-tickets": "", "no-tlsv10": "", "no-tlsv11": "", "no-tlsv12": "", "no-tlsv13": "", "no-verifyhost": "",
		"npn": "h2", "observe": "layer4", "on-error": "mark-down", "on-marked-down": "shutdown-sessions",
		"on-marked-up": "shutdown-backup-sessions", "pool-low-conn": "1", "pool-max-conn": "5", "pool-purge-delay": "5s",
		"port": "99", "proto": "h1", "proxy-v2-options": "ssl", "redir": "/x", "resolve-net": "127.0.0.0/8",
		"resolve-opts": "allow-dup-ip", "resolve-prefer": "ipv4", "resolvers": "x", "rise": "2", "send-proxy": "",
		"send-proxy-v2": "", "send-proxy-v2-ssl": "", "send-proxy-v2-ssl-cn": "", "shard": "1", "slowstart": "5s",
		"sni": "str(x)", "socks4": "127.0.0.1:1", "source": "127.0.0.1", "ssl": " verify none", "ssl-max-ver": "TLSv1.2",
		"ssl-min-ver": "TLSv1.2", "ssl-reuse": "", "stick": "", "strict-maxconn": "", "tcp-ut": "5s", "tfo": "",
		"tls-tickets": "", "track": "checked/a", "verify": "none", "verifyhost": "x", "weight": "5", "ws": "h1",
		// Not here: ca-file, crl-file and crt, whose files HAProxy must have read at
		// its start, and what our table does not know.
	}
}

// command sends one line to a stats socket and returns the answer.
func command(t *testing.T, socket, line string) string {
	t.Helper()
	var d net.Dialer
	ctx, cancel := context.WithTimeout(t.Context(), haproxytest.Deadline)
	defer cancel()
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err = c.SetDeadline(time.Now().Add(haproxytest.Deadline)); err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(c, line+"\n")
	answer, readErr := io.ReadAll(c)
	if err = errors.Join(err, readErr, c.Close()); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(answer))
}

// branch returns the version of the installed HAProxy.
func branch(t *testing.T) haproxy.Version {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), haproxytest.Binary(t), "-v").Output()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`version (\d+)\.(\d+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no version in %s", out)
	}
	major, _ := strconv.Atoi(string(m[1])) // digits
	minor, _ := strconv.Atoi(string(m[2]))
	return version(major, minor)
}

// The table of server options says the same as the add server command: what it
// takes becomes a step, what it refuses a reason to reload.
func TestServerOptionsAgreeWithHAProxy(t *testing.T) {
	t.Parallel()
	v := branch(t)
	running := "backend checked\n mode http\n server a 127.0.0.1:1 check inter 1h\nbackend x\n mode http\n"
	h := haproxytest.Start(t, "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"+running+
		"frontend f\n mode http\n bind "+haproxytest.FreeAddr(t)+"\n")
	n := 0
	for name, args := range optionArguments() {
		n++
		line := fmt.Sprintf("server s%d 127.0.0.1:1 %s", n, strings.TrimSpace(name+" "+args))
		plan := haproxy.Diff(parse(t, running), parse(t, running+" "+line+"\n"), v)
		taken := len(plan.Steps) == 1 && len(plan.Reasons) == 0
		answer := command(t, h.StatsSocket, "add "+strings.Replace(line, " s", " x/s", 1))
		if really := answer == "New server registered."; really != taken {
			t.Errorf("%s: the table says %t, HAProxy %s: %s", name, taken, v, answer)
		}
		if !taken {
			continue
		}
		// And the step's own commands lead to what they say.
		target := fmt.Sprintf("x/s%d", n)
		command(t, h.StatsSocket, "set server "+target+" state maint")
		if answer = command(t, h.StatsSocket, "del server "+target); answer != "Server deleted." {
			t.Errorf("%s: del server: %s", name, answer)
		}
		for _, c := range plan.Steps[0].Commands() {
			if answer = command(t, h.StatsSocket, c); answer != "" && answer != "New server registered." {
				t.Errorf("%s: %s: %s", name, c, answer)
			}
		}
	}
}

// What a plan does to a real HAProxy is what After says.
func TestPlanOnHAProxy(t *testing.T) {
	t.Parallel()
	v := branch(t)
	text := func(servers, static string) string {
		return "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n default-server inter 1h\n" +
			"backend x\n default-server check\n" + servers + "backend y\n balance static-rr\n" + static
	}
	before := text(" server a 127.0.0.1:1 id 5\n server b 127.0.0.1:2 disabled\n server c 127.0.0.1:3\n server d 127.0.0.1:4\n server e 127.0.0.1:5\n",
		" server a 127.0.0.1:1\n server b 127.0.0.1:2\n")
	after := text(" server f 127.0.0.1:6 id 5\n server b 127.0.0.1:2\n server c 127.0.0.9:3 weight 9\n server d 127.0.0.1:4 disabled\n server e 127.0.0.1:5\n server g [::1]:7 disabled\n",
		" server b 127.0.0.1:2 disabled\n")
	running := parse(t, before)
	plan := haproxy.Diff(running, parse(t, after), v)
	if len(plan.Reasons) > 0 {
		t.Fatalf("reasons: %v", plan.Reasons)
	}
	h := haproxytest.Start(t, before+"frontend f\n bind "+haproxytest.FreeAddr(t)+"\n")
	for _, s := range plan.Steps {
		for _, c := range s.Commands() {
			command(t, h.StatsSocket, c)
		}
		if s.Kind == haproxy.RemoveServer {
			haproxytest.Eventually(t, "server "+s.Server.Name+" is deleted", func() bool {
				return command(t, h.StatsSocket, haproxy.DeleteCommand(s.Backend, s.Server.Name)) == "Server deleted."
			})
		}
	}
	want := load(running.After(plan.Steps), v)
	got := map[string]bool{}
	for line := range strings.Lines(command(t, h.StatsSocket, "show servers state")) {
		f := strings.Fields(line)
		if len(f) < 20 || f[0] == "#" {
			continue
		}
		target := f[1] + "/" + f[3]
		got[target] = true
		s, ok := want.servers[target]
		const admin, weight, port = 6, 7, 18
		flags, err := strconv.Atoi(f[admin])
		if err != nil {
			t.Fatal(err)
		}
		// Bit 2 remembers that the file said disabled, and stays when it no longer is.
		const maint = 1<<0 | 1<<1 | 1<<5
		state := fmt.Sprintf("%s weight %s maint %t", netipJoin(f[4], f[port]), f[weight], flags&maint != 0)
		if wanted := fmt.Sprintf("%s weight %d maint %t", s.Address, s.Weight, s.Maint); !ok || state != wanted {
			t.Errorf("%s is %s, want %s", target, state, wanted)
		}
	}
	if len(got) != len(want.servers) {
		t.Errorf("servers %v, want %d", got, len(want.servers))
	}
}

// Servers that something names cannot be deleted, and weights of static algorithms
// cannot change: the reasons to reload that rest on it.
func TestReasonsToReloadAreHAProxys(t *testing.T) {
	t.Parallel()
	h := haproxytest.Start(t, "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"+
		"backend x\n balance source\n use-server a if FALSE\n server a 127.0.0.1:1 disabled\n server b 127.0.0.1:2 disabled check inter 1h\n"+
		" server c 127.0.0.1:3 disabled track b\n server d 127.0.0.1:3 disabled\n"+
		"frontend f\n bind "+haproxytest.FreeAddr(t)+"\n http-request deny if { srv_is_up(x/d) }\n default_backend x\n")
	for _, name := range []string{"a", "b", "d"} {
		if got := command(t, h.StatsSocket, haproxy.DeleteCommand("x", name)); !strings.Contains(got, "cannot be removed") {
			t.Errorf("del server x/%s: %s", name, got)
		}
	}
	if got := command(t, h.StatsSocket, "set server x/a weight 5"); !strings.Contains(got, "static") {
		t.Errorf("set weight: %s", got)
	}
	if got := command(t, h.StatsSocket, "add server x/z 127.0.0.1:9"); !strings.Contains(got, "dynamic load balancing") {
		t.Errorf("add server: %s", got)
	}
}
