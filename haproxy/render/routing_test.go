package render_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/certs"
	"mlb/haproxy/render"
	"mlb/templates"
	"mlb/test/haproxytest"
)

// answering makes every backend answer with its own name, so that a test sees where
// HAProxy sends a request.
const answering = "\nbackend {backend}\n  mode http\n" +
	"  http-request return status 200 content-type text/plain string \"{backend}\"\n"

// instance is a HAProxy that runs a rendered text.
type instance struct {
	http, https, app string
}

// run renders the proxies and starts HAProxy with the result. The user's templates
// are replaced as the caller wants.
func run(t *testing.T, proxies []haproxy.Proxy, overrides render.Overrides, change func(*render.Frame)) instance {
	t.Helper()
	dir := haproxytest.Dir(t)
	cert := filepath.Join(dir, "cert.pem")
	if _, err := certs.EnsureSelfSigned(cert); err != nil {
		t.Fatal(err)
	}
	i := instance{haproxytest.FreeAddr(t), haproxytest.FreeAddr(t), haproxytest.FreeAddr(t)}
	f := frame()
	f.HTTPBind, f.HTTPSBind, f.AppIDBind, f.StatsBind = i.http, i.https, i.app, haproxytest.FreeAddr(t)
	f.StatsSocket, f.AdminSocket = filepath.Join(dir, "stats.sock"), filepath.Join(dir, "mlb.sock")
	f.MapDir, f.Certificates = dir, []string{cert}
	if change != nil {
		change(&f)
	}
	all := render.Overrides{"BACKEND_HEAD": answering}
	maps.Copy(all, overrides)
	r, err := render.New(f, all)
	if err != nil {
		t.Fatal(err)
	}
	text := r.Render(proxies)
	if len(text.Problems) > 0 {
		t.Fatalf("problems: %v", text.Problems)
	}
	for _, file := range text.Config.Files {
		if err := os.WriteFile(filepath.Join(dir, file.Name), []byte(file.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	haproxytest.Start(t, text.Config.Text())
	return i
}

// asRules are overrides that change nothing but keep mlb from using maps.
func asRules(t *testing.T) render.Overrides {
	t.Helper()
	o := render.Overrides{}
	for _, name := range templates.Names() {
		if strings.HasPrefix(name, "HTTP_FRONTEND_") || strings.HasPrefix(name, "HTTPS_FRONTEND_ACL") {
			d, err := templates.Default(name)
			if err != nil {
				t.Fatal(err)
			}
			if !d.Raw {
				o[name] = d.Text + "\n"
			}
		}
	}
	return o
}

// ask sends one request and returns the backend that answers, or the status.
func ask(t *testing.T, conn net.Conn, host, path string) string {
	t.Helper()
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		return answer.Status
	}
	return string(body)
}

// byID asks on the listener that routes by app ID.
func (i instance) byID(t *testing.T, app string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", i.app)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, conn, "any\r\nX-Marathon-App-Id: "+app, "/")
}

func (i instance) plain(t *testing.T, host, path string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", i.http)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, conn, host, path)
}

// dialTLS connects without verifying the certificate, which was made here.
func dialTLS(t *testing.T, address string, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	config.InsecureSkipVerify = true
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil //nolint:forcetypeassert // what a tls.Dialer returns.
}

func (i instance) tls(t *testing.T, sni, host, path string) string {
	t.Helper()
	conn, err := dialTLS(t, i.https, &tls.Config{ServerName: sni})
	if err != nil {
		return "closed"
	}
	return ask(t, conn, host, path)
}

// random makes services that compete for few hosts and paths.
func random(seed uint64) []haproxy.Proxy {
	rnd := rand.New(rand.NewPCG(seed, 1))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	var proxies []haproxy.Proxy
	for n := range 14 {
		hosts := []string{pick("a.example.com", "b.example.com", "c.example.com")}
		if rnd.IntN(3) == 0 {
			if h := pick("b.example.com", "d.example.com"); h != hosts[0] {
				hosts = append(hosts, h)
			}
		}
		p := web(fmt.Sprintf("/s%02d", n), 20000+n, hosts...)
		p.Bind = ""
		p.Weight = rnd.IntN(3)
		p.Path = pick("", "", "/a", "/a/b", "/b", "/a /c", "-i /A", "/")
		if rnd.IntN(6) == 0 {
			p.Overrides = []discovery.Override{{
				Template: "HTTP_FRONTEND_ACL", Text: "  use_backend {backend} if {{ req.fhdr(host),host_only -i {hostname} }}\n",
			}}
		}
		proxies = append(proxies, p)
	}
	return proxies
}

// D43: with mlb's maps, with the users' maps and with rules only, every request goes
// to the same service.
func TestD43MapsAndRulesLeadToTheSameService(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			proxies := random(seed)
			rules := run(t, proxies, asRules(t), nil)
			for name, other := range map[string]instance{
				"maps":          run(t, proxies, nil, nil),
				"--haproxy-map": run(t, proxies, nil, func(f *render.Frame) { f.Map = true }),
			} {
				for _, host := range []string{"a.example.com", "B.example.com:80", "c.example.com", "d.example.com", "x", "a.example.com/a", "a.example.com|", "a.example.com|/a", "a.example.com,b.example.com"} {
					for _, path := range []string{"/", "/a", "/a/b/c", "/b", "/c", "/A", "/ab", "*"} {
						if got, want := other.plain(t, host, path), rules.plain(t, host, path); got != want {
							t.Errorf("%s: http %s%s goes to %s, by rules to %s", name, host, path, got, want)
						}
						sni, _, _ := strings.Cut(strings.ToLower(host), ":")
						if strings.ContainsAny(sni, "/,|") || path == "*" {
							continue
						}
						if got, want := other.tls(t, sni, host, path), rules.tls(t, sni, host, path); got != want {
							t.Errorf("%s: https %s%s goes to %s, by rules to %s", name, sni, path, got, want)
						}
					}
				}
			}
		})
	}
}

// K20: with HTTP/2 on, one connection may ask for other hosts that its certificate
// stands for; for others the client is told to open a new one.
func TestK20HTTP2IsRoutedByHostAndForeignHostsAreMisdirected(t *testing.T) {
	t.Parallel()
	proxies := []haproxy.Proxy{web("/a", 20001, "a.example.com"), web("/b", 20002, "b.example.com"), web("/c", 20003, "c.example.org")}
	for i := range proxies {
		proxies[i].Bind = ""
	}
	i := run(t, proxies, nil, func(f *render.Frame) {
		f.HTTP2 = true
		f.CertificateHosts = certificateHosts(t, f.Certificates)
	})
	for request, want := range map[[2]string]string{
		{"a.example.com", "a.example.com"}:       "a_20001",
		{"c.example.org", "C.example.org:443"}:   "c_20003",
		{"a.example.com", "c.example.org"}:       "421 Misdirected Request",
		{"unknown.example.com", "b.example.com"}: "421 Misdirected Request",
	} {
		if got := i.tls(t, request[0], request[1], "/"); got != want {
			t.Errorf("SNI %s, Host %s: %s, want %s", request[0], request[1], got, want)
		}
	}
	offered := func(address string) string {
		conn, err := dialTLS(t, address, &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().NegotiatedProtocol
	}
	if got := offered(i.https); got != "h2" {
		t.Errorf("protocol %q, want h2", got)
	}
	if got := offered(run(t, proxies, nil, nil).https); got != "http/1.1" {
		t.Errorf("protocol %q without the flag, want http/1.1", got)
	}
}

func certificateHosts(t *testing.T, files []string) []render.CertificateHost {
	t.Helper()
	hosts, err := certs.Hosts(files)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]render.CertificateHost, 0, len(hosts))
	for _, h := range hosts {
		out = append(out, render.CertificateHost{Fingerprint: h.Fingerprint, Host: h.Name})
	}
	return slices.Clip(out)
}

// D32, D33: conditions whose names are equal when they are cleaned stay apart: each
// request goes to its own service.
func TestD32ConditionsOfDifferentServicesStayApart(t *testing.T) {
	t.Parallel()
	proxies := []haproxy.Proxy{web("/a", 20001, "x.y"), web("/a.b", 20002, "ab.example"), web("/a_b", 20002, "cd.example"), web("/y/a", 20001, "x")}
	for i := range proxies {
		proxies[i].Bind = ""
	}
	i := run(t, proxies, asRules(t), nil)
	for host, want := range map[string]string{"x.y": "a_20001", "x": "y_a_20001", "ab.example": "a.b_20002", "cd.example": "a_b_20002"} {
		if got := i.plain(t, host, "/"); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
		if got := i.tls(t, host, host, "/"); got != want {
			t.Errorf("https %s: %s, want %s", host, got, want)
		}
	}
	for app, want := range map[string]string{"/a": "a_20001", "/y/a": "y_a_20001", "/a.b": "a.b_20002", "/a_b": "a_b_20002"} {
		if got := i.byID(t, app); got != want {
			t.Errorf("app %s: %s, want %s", app, got, want)
		}
	}
}

// D44: grouped by host, each host has a TLS frontend with its certificate and its
// rules; the first of the listener's certificates is the default; an unknown host is
// closed. With the users' maps the result is the same.
func TestD44GroupedHTTPS(t *testing.T) {
	t.Parallel()
	own := filepath.Join(haproxytest.Dir(t), "own.pem")
	if _, err := certs.EnsureSelfSigned(own); err != nil {
		t.Fatal(err)
	}
	root, path := web("/root", 20001, "a.grouped.example.com", "b.grouped.example.com"), web("/path", 20002, "a.grouped.example.com")
	path.Path, path.Weight = "/p", 1
	secured := web("/secured", 20003, "c.grouped.example.com")
	secured.Certificate = own
	clash := web("/clash", 20004, "clash_20004") // the name of its own backend
	proxies := []haproxy.Proxy{clash, path, root, secured}
	for i := range proxies {
		proxies[i].Bind = ""
	}
	for name, useMaps := range map[string]bool{"rules": false, "maps": true} {
		// One after the other: the abstract sockets are called after the hosts.
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above.
			i := run(t, proxies, nil, func(f *render.Frame) { f.Grouped, f.Map = true, useMaps })
			for request, want := range map[[2]string]string{
				{"a.grouped.example.com", "/"}:  "root_20001",
				{"A.grouped.example.com", "/p"}: "path_20002",
				{"b.grouped.example.com", "/p"}: "root_20001",
				{"c.grouped.example.com", "/"}:  "secured_20003",
				{"clash_20004", "/"}:            "clash_20004",
				{"x.grouped.example.com", "/"}:  "closed",
			} {
				if got := i.tls(t, request[0], request[0], request[1]); got != want {
					t.Errorf("%s%s: %s, want %s", request[0], request[1], got, want)
				}
			}
			fingerprint := func(host string) string {
				conn, err := dialTLS(t, i.https, &tls.Config{ServerName: host})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				return string(conn.ConnectionState().PeerCertificates[0].Raw)
			}
			if fingerprint("a.grouped.example.com") == fingerprint("c.grouped.example.com") {
				t.Error("c.grouped.example.com does not have its own certificate")
			}
			if fingerprint("a.grouped.example.com") != fingerprint("b.grouped.example.com") {
				t.Error("hosts without a certificate do not share the default one")
			}
		})
	}
}
