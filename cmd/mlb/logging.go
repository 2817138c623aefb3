package main

import (
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// loggerName is what stands for %(name)s in front of the package's own name.
const loggerName = "mlb"

// openLog makes the logger of the whole program: lines on stderr and, if set,
// on the syslog socket. Nothing is sampled: lines are changes of state, not
// traffic. A socket that cannot be reached is reported on the logger itself and
// left alone (D7). The returned function closes the socket; the logger then
// still writes to stderr.
func openLog(cfg Logging, stderr io.Writer) (*zap.Logger, func() error) {
	closeNothing := func() error { return nil }
	cores := zapcore.NewCore(newLogEncoder(cfg), zapcore.Lock(zapcore.AddSync(stderr)), cfg.Level)
	if cfg.SyslogSocket == "" {
		return zap.New(cores).Named(loggerName), closeNothing
	}
	socket, err := dialSyslog(cfg.SyslogSocket)
	if err != nil {
		logger := zap.New(cores).Named(loggerName)
		logger.Warn("no syslog, logging to standard error only", zap.Error(err))
		return logger, closeNothing
	}
	syslog := zapcore.NewCore(syslogEncoder{newLogEncoder(cfg)}, socket, cfg.Level)
	return zap.New(zapcore.NewTee(cores, syslog)).Named(loggerName), socket.Close
}

// newLogEncoder returns the encoder of one line. An unknown encoding is text.
func newLogEncoder(cfg Logging) zapcore.Encoder {
	if cfg.Encoding == "json" {
		return zapcore.NewJSONEncoder(zapcore.EncoderConfig{
			TimeKey: "time", LevelKey: "level", NameKey: "logger", MessageKey: "message", StacktraceKey: "stack",
			EncodeTime:     zapcore.RFC3339NanoTimeEncoder,
			EncodeLevel:    zapcore.LowercaseLevelEncoder,
			EncodeDuration: zapcore.StringDurationEncoder,
		})
	}
	return newTextEncoder(cfg.Format, os.Getpid())
}

// levelName returns Python's word for a level.
func levelName(level zapcore.Level) string {
	switch level {
	case zapcore.DebugLevel:
		return "DEBUG"
	case zapcore.InfoLevel:
		return "INFO"
	case zapcore.WarnLevel:
		return "WARNING"
	case zapcore.ErrorLevel:
		return "ERROR"
	case zapcore.DPanicLevel, zapcore.PanicLevel, zapcore.FatalLevel:
		return "CRITICAL"
	case zapcore.InvalidLevel:
	}
	return fmt.Sprintf("LEVEL(%d)", level)
}
