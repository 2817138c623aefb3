// Command mlb keeps HAProxy in step with Marathon.
package main

import (
	"context"
	"errors"
	"io"
	"os"
)

func main() {
	ctx := context.Background()
	if isInit(newEnvironment(os.Environ())) {
		status, err := runInit(ctx)
		if err != nil {
			_, _ = io.WriteString(os.Stderr, "mlb: "+err.Error()+"\n")
		}
		os.Exit(status)
	}
	os.Exit(run(ctx, os.Args, os.Environ(), os.Stdout, os.Stderr))
}

// run does what the command line says and returns the exit status: 0 for success
// and for an orderly end, 1 for a failure, 2 for a wrong command line.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	cfg, err := Load(args, environ)
	if err != nil {
		if start, ok := errors.AsType[*StartError](err); ok {
			_, _ = io.WriteString(stderr, start.Message())
		}
		return exitCode(err)
	}
	switch cfg.Mode {
	case ModeHelp:
		err = writeHelp(stdout, cfg.Container)
	case ModeLongHelp:
		err = writeManual(stdout, chapters()...)
	case ModeVersion:
		err = writeVersion(stdout)
	case ModeRender:
		err = printConfig(ctx, cfg, stdout, stderr)
	case ModeHealth:
		err = askHealth(ctx, cfg.Args, stdout)
	case ModeReload:
		err = askReload(ctx, cfg.Args, stdout)
	case ModeRelease:
		err = askRelease(ctx, cfg.Args, stdout)
	case ModeTemplates:
		err = showTemplates(cfg, stdout)
	case ModeDemo:
		err = demo(ctx, cfg.Args, stdout, stderr)
	case ModeSSE, ModePoll, ModeOnce:
		err = serve(ctx, cfg, stdout, stderr)
	}
	if err != nil {
		_, _ = io.WriteString(stderr, "mlb: "+err.Error()+"\n")
		return exitCode(err)
	}
	return 0
}

// usageError is a mistake that is found only after the command line was read.
func usageError(err error) error {
	wrong := &StartError{}
	wrong.add(exitUsage, err.Error())
	return wrong
}
