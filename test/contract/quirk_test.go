package contract_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"mlb/test/balancer"
	"mlb/test/haproxytest"
	"mlb/test/marathonsim"
	"mlb/test/marathonsim/simtest"
)

// K19: certificate files are read when HAProxy is reloaded, and only then.
func TestK19ANewCertificateIsServedAfterTheNextReload(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Speed: 20})
	b := balancer.New(t, "", c.Masters())
	file := b.Path("site.pem")
	writeFile(t, file, newCertificate(t, "before.example"))
	b.Args = []string{"--ssl-certs", file}
	b.Start(t)
	b.WaitReady(t)
	served := func() string {
		a, err := b.Secure("any.example", "/").Send(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return a.Certificate
	}
	if got := served(); got != "before.example" {
		t.Fatalf("certificate %q, want before.example", got)
	}
	writeFile(t, file, newCertificate(t, "after.example"))
	b.Signal(t, syscall.SIGHUP) // a refresh without a change is no reload
	if got := served(); got != "before.example" {
		t.Errorf("certificate %q without a reload, want before.example", got)
	}
	b.Signal(t, syscall.SIGUSR1)
	balancer.Eventually(t, "the new certificate is served", func() error {
		if got := served(); got != "after.example" {
			return errors.New(got)
		}
		return nil
	})
}

// D9, D10: told to end, mlb ends HAProxy too, leaves no process, and its status is 0.
func TestD9TheEndIsOrderly(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Speed: 20})
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		b := balancer.New(t, sig.String(), c.Masters())
		b.Start(t)
		b.WaitReady(t)
		if len(b.Processes()) < 3 {
			t.Errorf("processes %v, want mlb and HAProxy's two", b.Processes())
		}
		b.Signal(t, sig)
		if status := b.Wait(t); status != 0 {
			t.Errorf("%s: status %d, want 0", sig, status)
		}
		if left := b.Processes(); len(left) > 0 {
			t.Errorf("%s: processes %v are left", sig, left)
		}
	}
}

// D10: mlb needs no other program than HAProxy: no shell, no pidof, no pkill. Its
// signals by HTTP work where PATH holds HAProxy alone.
func TestD10NothingButHAProxyIsNeeded(t *testing.T) {
	t.Parallel()
	c := simtest.Start(t, marathonsim.Options{Speed: 20})
	b := balancer.New(t, "", c.Masters())
	programs := b.Path("programs")
	if err := os.Mkdir(programs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(haproxytest.Binary(t), programs+"/haproxy"); err != nil {
		t.Fatal(err)
	}
	b.Env = []string{"PATH=" + programs}
	b.Start(t)
	b.WaitReady(t)
	for _, path := range []string{"/_haproxy_getpids", "/_mlb_signal/hup", "/_mlb_signal/usr1", "/_haproxy_getconfig"} {
		if _, err := b.Ask(t.Context(), path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
