// Command mlb keeps HAProxy in step with Marathon.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args, os.Environ(), os.Stdout, os.Stderr))
}

// run prints the texts that the command line can ask for.
func run(args, environ []string, stdout, stderr io.Writer) int {
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
		err = writeManual(stdout)
	case ModeVersion:
		err = writeVersion(stdout)
	case ModeSSE, ModePoll, ModeOnce, ModeRender, ModeHealth, ModeDemo:
		logger, closeLog := openLog(cfg.Log, stderr)
		defer func() { _ = closeLog() }()
		logger.Info(fmt.Sprintf("mode %s", cfg.Mode))
	}
	if err != nil {
		return exitFailure
	}
	return 0
}
