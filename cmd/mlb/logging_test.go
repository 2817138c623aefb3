package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// entry is a record of a fixed time.
func entry() zapcore.Entry {
	return zapcore.Entry{
		Level: zapcore.WarnLevel, LoggerName: "mlb.apply", Message: "reload refused",
		Time: time.Date(2026, 3, 4, 5, 6, 7, 89*int(time.Millisecond), time.UTC),
	}
}

func TestLogFormat(t *testing.T) {
	t.Parallel()
	cases := []struct{ rule, format, want string }{
		{"the default", "%(asctime)-15s %(name)s: %(message)s", `2026-03-04 05:06:07,089 mlb.apply: reload refused {"app": "/x"}`},
		{"level and process", "%(levelname)s %(process)d", "WARNING 42"},
		{"width pads on the left", "[%(levelname)10s]", "[   WARNING]"},
		{"minus pads on the right", "[%(levelname)-10s]", "[WARNING   ]"},
		{"precision cuts", "[%(levelname).4s]", "[WARN]"},
		{"a bare dot cuts all", "[%(levelname).s]", "[]"},
		{"width and precision", "[%(levelname)-6.4s]", "[WARN  ]"},
		{"zeros before a number", "%(process)06d", "000042"},
		{"a number as text", "[%(process)-4s]", "[42  ]"},
		{"two percent signs are one", "100%% %(process)s", "100% 42"},
		{"a percent sign before a field", "%%%(process)s", "%42"},
		{"escaped field", "%%(process)s", "%(process)s"},
		{"other fields are literal", "%(lineno)d %(process)s", "%(lineno)d 42"},
		{"a text is no number", "%(name)d", "%(name)d"},
		{"no field at all", "x", "x"},
		{"unfinished", "%(process", "%(process"},
		{"a width beyond reason is bounded", "%(process)999999999999999999999s", strings.Repeat(" ", widest-2) + "42"},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			line, err := newTextEncoder(c.format, 42).EncodeEntry(entry(), []zapcore.Field{zap.String("app", "/x")})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want+"\n", line.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogKeepsFieldsOfDerivedLoggers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger, closeLog := openLog(Logging{Format: "%(name)s|%(message)s"}, &out)
	logger.Named("apply").With(zap.String("app", "/a\nb")).Info("done", zap.Int("adds", 2))
	logger.Info("bare")
	if err := closeLog(); err != nil {
		t.Error(err)
	}
	want := "mlb.apply|done {\"app\": \"/a\\nb\", \"adds\": 2}\nmlb|bare\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"NOTSET": "DEBUG INFO WARNING ERROR CRITICAL", "debug": "DEBUG INFO WARNING ERROR CRITICAL",
		"Info": "INFO WARNING ERROR CRITICAL", "WARNING": "WARNING ERROR CRITICAL",
		"ERROR": "ERROR CRITICAL", "CRITICAL": "CRITICAL",
	} {
		level, err := parseLevel(word)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		logger, _ := openLog(Logging{Level: level, Format: "%(levelname)s"}, &out)
		for _, l := range []zapcore.Level{zapcore.DebugLevel, zapcore.InfoLevel, zapcore.WarnLevel, zapcore.ErrorLevel, zapcore.DPanicLevel} {
			logger.Log(l, "x")
		}
		if got := strings.Join(strings.Fields(out.String()), " "); got != want {
			t.Errorf("%s writes %s, want %s", word, got, want)
		}
	}
}

func TestLogJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger, _ := openLog(Logging{Encoding: "json"}, &out)
	logger.Warn("reload refused", zap.Duration("took", time.Second))
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339Nano, got["time"].(string)); err != nil {
		t.Error(err)
	}
	delete(got, "time")
	want := map[string]any{"level": "warn", "logger": "mlb", "message": "reload refused", "took": "1s"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// listenSyslog opens a datagram socket at path and returns a function that waits
// for one datagram.
func listenSyslog(t *testing.T, path string) (socket *net.UnixConn, receive func() string) {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return socket, func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		datagram := make([]byte, 4096)
		n, err := socket.Read(datagram)
		if err != nil {
			t.Fatal(err)
		}
		return string(datagram[:n])
	}
}

func TestSyslogReceivesLinesWithPriority(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	_, receive := listenSyslog(t, path)
	var out bytes.Buffer
	logger, closeLog := openLog(Logging{Format: "%(name)s[%(process)d]: %(message)s", SyslogSocket: path}, &out)
	logger.Error("it broke", zap.String("app", "/x"))
	line := "mlb[" + strconv.Itoa(os.Getpid()) + `]: it broke {"app": "/x"}`
	if diff := cmp.Diff([]string{"<11>" + line, line + "\n"}, []string{receive(), out.String()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := closeLog(); err != nil {
		t.Error(err)
	}
	logger.Info("still on standard error")
	if !strings.Contains(out.String(), "still on") {
		t.Error("closing the socket silenced standard error")
	}
}

func TestSyslogSurvivesARestartOfTheDaemon(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	first, receive := listenSyslog(t, path)
	logger, closeLog := openLog(Logging{Format: "%(message)s", SyslogSocket: path}, &bytes.Buffer{})
	logger.Info("one")
	if got := receive(); got != "<14>one" {
		t.Errorf("received %q", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	logger.Info("lost")
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	_, receive = listenSyslog(t, path)
	logger.Info("two")
	if got := receive(); got != "<14>two" {
		t.Errorf("received %q", got)
	}
	if err := closeLog(); err != nil {
		t.Error(err)
	}
}

func TestSyslogThatHangsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	listenSyslog(t, path) // nobody reads
	logger, closeLog := openLog(Logging{Format: "%(message)s", SyslogSocket: path}, &bytes.Buffer{})
	start := time.Now()
	for range 5000 { // more than any socket buffers
		logger.Info("x")
	}
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("5000 lines took %s", took)
	}
	if err := closeLog(); err != nil {
		t.Error(err)
	}
}

func TestD7SyslogMissingIsAWarning(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger, closeLog := openLog(Logging{Format: "%(levelname)s %(message)s", SyslogSocket: filepath.Join(t.TempDir(), "none")}, &out)
	logger.Info("works")
	if err := closeLog(); err != nil {
		t.Error(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "WARNING no syslog") || lines[1] != "INFO works" {
		t.Errorf("logged %q", lines)
	}
}
