package main

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestD1LoadMarathon(t *testing.T) {
	t.Parallel()
	cases := []struct {
		rule string
		args []string
		want []string
	}{
		{"the default", nil, []string{"http://master.mesos:8080"}},
		{"duplicates are dropped, also those of a slash", []string{"-m", "http://b/", "http://a", "-m", "http://b"}, []string{"http://b", "http://a"}},
		{"a path prefix stays", []string{"--marathon=https://a/service/marathon//"}, []string{"https://a/service/marathon"}},
		{"an IPv6 host", []string{"-m", "http://[::1]:8080"}, []string{"http://[::1]:8080"}},
		{"credentials are not part of it", []string{"-m", "http://joe:pw@a:1"}, []string{"http://a:1"}},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, load(t, nil, c.args...).Marathon); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestD2Credentials(t *testing.T) {
	t.Parallel()
	joe := Credentials{User: "joe", Password: NewSecret("a:b%!")}
	env := []string{"MARATHON_USER=eve", "MARATHON_PASSWORD=x y"}
	vault := []string{"VAULT_TOKEN=t", "VAULT_HOST=h", "VAULT_PORT=1", "VAULT_PATH=p"}
	files := map[string]string{"ok": "joe:a:b%!\r\nmore\n", "empty": "\njoe:a\n", "bad": "joe\n"}
	readFile := func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
	cases := []struct {
		rule    string
		load    func(*testing.T, []string, ...string) Config
		environ []string
		args    []string
		want    Credentials
		err     string
	}{
		{"none at all", load, nil, nil, Credentials{}, ""},
		{"a flag, split at the first colon", load, nil, []string{"--auth-credentials", "joe:a:b%!"}, joe, ""},
		{"an empty flag is none", load, nil, []string{"--auth-credentials="}, Credentials{}, ""},
		{"the environment of the container", loadContainer, env, nil, Credentials{User: "eve", Password: NewSecret("x y")}, ""},
		{"the environment is only the container's", load, env, nil, Credentials{}, ""},
		{"half of the environment is nothing", loadContainer, env[:1], nil, Credentials{}, ""},
		{"a flag beats the environment", loadContainer, env, []string{"--auth-cred=joe:a:b%!"}, joe, ""},
		{"a file beats a flag", load, nil, []string{"--auth-credentials=x:y", "--marathon-auth-credential-file=ok"}, joe, ""},
		{"an empty first line means none", load, nil, []string{"--auth-credentials=x:y", "--marathon-auth-credential-file=empty"}, Credentials{}, ""},
		{"a file without a colon", load, nil, []string{"--marathon-auth-credential-file=bad"}, Credentials{}, "first line of bad: want user:pass"},
		{"a missing file", load, nil, []string{"--marathon-auth-credential-file=none"}, Credentials{}, "read credentials: file does not exist"},
		{"the URL's", load, nil, []string{"-m", "http://joe:a%3ab%25!@h", "http://joe:a%3Ab%25!@i"}, joe, ""},
		{"a flag beats the URL's", load, nil, []string{"-m", "http://x:y@h", "--auth-credentials=joe:a:b%!"}, joe, ""},
		{"the environment beats Vault", loadContainer, append(vault, env...), nil, Credentials{User: "eve", Password: NewSecret("x y")}, ""},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			got, err := c.load(t, c.environ, c.args...).Credentials(readFile)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestD5Certificates(t *testing.T) {
	t.Parallel()
	pem := func(file, text string) CertificateFile { return CertificateFile{Path: file, PEM: NewSecret(text)} }
	environ := []string{`HAPROXY_SSL_CERT=a\nb`, "HAPROXY_SSL_CERT100=c", "HAPROXY_SSL_CERT2=d", "HAPROXY_SSL_CERT1=", "HAPROXY_SSL_CERT101=e"}
	files := []CertificateFile{pem("/etc/ssl/cert.pem", "a\nb"), pem("/etc/ssl/cert2.pem", "d"), pem("/etc/ssl/cert100.pem", "c")}
	fromEnv := []string{"/etc/ssl/cert.pem", "/etc/ssl/cert2.pem", "/etc/ssl/cert100.pem"}
	cases := []struct {
		rule    string
		load    func(*testing.T, []string, ...string) Config
		environ []string
		args    []string
		want    Certificates
	}{
		{"neither flag nor variable: self-signed", loadContainer, nil, nil, Certificates{List: []string{"/etc/ssl/cert.pem"}, SelfSigned: "/etc/ssl/cert.pem"}},
		{"an empty flag is none", loadContainer, nil, []string{"--ssl-certs", " , "}, Certificates{List: []string{"/etc/ssl/cert.pem"}, SelfSigned: "/etc/ssl/cert.pem"}},
		{"a flag alone is the list", loadContainer, nil, []string{"--ssl-certs=x, y,,"}, Certificates{List: []string{"x", "y"}}},
		{"variables alone, in the order of their numbers", loadContainer, environ, nil, Certificates{List: fromEnv, Files: files}},
		{"a flag in any spelling goes first", loadContainer, environ, []string{"--ssl=x"}, Certificates{List: append([]string{"x"}, fromEnv...), Files: files}},
		{"numbered ones need the first", loadContainer, environ[1:], nil, Certificates{List: []string{"/etc/ssl/cert.pem"}, SelfSigned: "/etc/ssl/cert.pem"}},
		{"the folder moves", loadContainer, nil, []string{"--ssl-dir", "/x"}, Certificates{List: []string{"/x/cert.pem"}, SelfSigned: "/x/cert.pem"}},
		{"the updater makes none", load, environ, nil, Certificates{List: []string{"/etc/ssl/cert.pem"}}},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, c.load(t, c.environ, c.args...).Certificates); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	got := loadContainer(t, nil, "-m", "https://a").Warnings
	want := []string{
		"Marathon's certificates are not verified without --marathon-ca-cert",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if quiet := load(t, nil, "--marathon-ca-cert=x", "-m", "https://a").Warnings; len(quiet) > 0 {
		t.Errorf("warnings without a reason: %q", quiet)
	}
}
