package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const password = "correct-horse"

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	type nested struct{ inside Secret }
	s := NewSecret(password)
	texts := map[string]string{
		"text":       s.String(),
		"in a field": fmt.Sprintf("%v %+v %#v", nested{s}, nested{s}, nested{s}),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		texts[verb] = fmt.Sprintf(verb, s)
		texts["credentials "+verb] = fmt.Sprintf(verb, Credentials{User: "joe", Password: s})
		texts["pointer "+verb] = fmt.Sprintf(verb, &s)
	}
	encoded, err := json.Marshal(map[string]any{"a": s, "b": &s, "c": Credentials{User: "joe", Password: s}, "d": map[string]Secret{"e": s}})
	if err != nil {
		t.Fatal(err)
	}
	texts["json"] = string(encoded)
	var log bytes.Buffer
	logger, closeLog := openLog(Logging{Encoding: "json"}, &log)
	logger.Info("x", zap.Any("a", s), zap.Reflect("b", Credentials{Password: s}), zap.Stringer("c", s))
	if err := closeLog(); err != nil {
		t.Error(err)
	}
	texts["log"] = log.String()
	for how, text := range texts {
		if strings.Contains(text, password) || strings.Contains(text, fmt.Sprintf("%x", password)) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
	}
	if s.Reveal() != password || texts["text"] != secretMask {
		t.Errorf("Reveal() = %q, String() = %q", s.Reveal(), texts["text"])
	}
	if empty := (Secret{}).String(); empty != "" {
		t.Errorf("an empty secret shows %q", empty)
	}
}

// Whatever of a command line or an environment holds the password: nothing that
// is printed or logged repeats it.
func TestLoadNeverShowsPasswords(t *testing.T) {
	t.Parallel()
	cases := []struct {
		rule    string
		args    []string
		environ []string
	}{
		{"credentials", []string{"--auth-credentials", "joe:" + password}, nil},
		{"credentials in one word", []string{"--auth=joe:" + password}, nil},
		{"credentials without a colon", []string{"--auth-credentials", password}, nil},
		{"a blank in the password", []string{"--auth-credentials", "joe:my", password}, nil},
		{"credentials of a URL", []string{"-m", "http://joe:" + password + "@a"}, nil},
		{"credentials of a wrong URL", []string{"-m", "http://joe:" + password + "@a:x"}, nil},
		{"credentials of another wrong URL", []string{"-m", "joe:" + password + "@a"}, nil},
		{"credentials of a URL with a query", []string{"-m", "http://joe:" + password + "@a?b"}, nil},
		{"different credentials of URLs", []string{"-m", "http://joe:" + password + "@a", "http://eve:" + password + "@a"}, nil},
		{"the environment", nil, []string{"MARATHON_USER=joe", "MARATHON_PASSWORD=" + password}},
		{"a service account", nil, []string{"DCOS_SERVICE_ACCOUNT_CREDENTIAL=" + password}},
		{"a service account as a flag", []string{"--dcos-auth-credentials", password}, nil},
		{"a certificate", nil, []string{"HAPROXY_SSL_CERT=" + password}},
		{"Vault", nil, []string{"VAULT_TOKEN=" + password, "VAULT_HOST=h", "VAULT_PORT=1", "VAULT_PATH=p"}},
		{"an unknown flag", []string{"--pass=" + password}, nil},
		{"an unknown short flag", []string{"-p" + password}, nil},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"mlb", "sse", "--group", "g"}, c.args...)
			cfg, err := Load(args, append([]string{"PORTS=1"}, c.environ...))
			object := zapcore.NewMapObjectEncoder()
			if marshalErr := cfg.MarshalLogObject(object); marshalErr != nil {
				t.Fatal(marshalErr)
			}
			encoded, jsonErr := json.Marshal(cfg)
			if jsonErr != nil {
				t.Fatal(jsonErr)
			}
			shown := fmt.Sprintf("%v\n%+v\n%#v\n%s\n%v", err, cfg, cfg, encoded, object.Fields)
			if strings.Contains(shown, password) {
				t.Errorf("the password is shown:\n%s", shown)
			}
		})
	}
}

func TestEffectiveConfigurationIsLogged(t *testing.T) {
	t.Parallel()
	cfg := load(t, []string{"MLB_STOP_TIMEOUT=5"}, "--auth-credentials=joe:"+password, "-m", "http://joe:"+password+"@a", "http://b", "--strict-mode")
	object := zapcore.NewMapObjectEncoder()
	if err := cfg.MarshalLogObject(object); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(object.Fields)
	want := "map[auth-credentials:<secret> group:g marathon:http://a http://b mode:once stop-timeout:5s strict-mode:true]"
	if got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
}
