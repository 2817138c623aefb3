package process

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// MinVersion is the oldest HAProxy that mlb works with.
	MinVersion = "2.6"

	probeTimeout = 30 * time.Second
)

// ErrMissing says that there is no haproxy binary.
var ErrMissing = errors.New("haproxy " + MinVersion + " or later is needed")

// ErrTooOld says that the haproxy binary is older than [MinVersion].
var ErrTooOld = errors.New("haproxy is too old, " + MinVersion + " or later is needed")

var (
	versionPattern = regexp.MustCompile(`(?m)^HA-?Proxy version ((\d+)\.(\d+)\S*)`)
	featurePattern = regexp.MustCompile(`(?m)^Feature list :(.*)$`)
)

// Features is what a haproxy binary can do.
type Features struct {
	// Version is the version as the binary writes it, such as 2.6.12-1+deb12u4.
	Version string
	// Major and Minor are the first two numbers of Version.
	Major, Minor int
	// Exporter says that the Prometheus exporter is built in.
	Exporter bool
	// Lua and OpenSSL say whether HAProxy was built with these.
	Lua, OpenSSL bool
}

// AtLeast reports whether the version is the given one or later.
func (f Features) AtLeast(major, minor int) bool {
	return f.Major > major || f.Major == major && f.Minor >= minor
}

// Probe runs "binary -vv". A missing binary gives an error that wraps [ErrMissing],
// one that is too old [ErrTooOld]; a retry helps with neither. It blocks for at most
// 30 seconds.
func Probe(ctx context.Context, binary string) (Features, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	path, err := exec.LookPath(binary)
	if err != nil {
		return Features{}, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	out, err := exec.CommandContext(ctx, path, "-vv").Output()
	if err != nil {
		return Features{}, fmt.Errorf("run %s -vv: %w", path, err)
	}
	f, err := parseFeatures(string(out))
	if err != nil {
		return Features{}, fmt.Errorf("%s -vv: %w", path, err)
	}
	if !f.AtLeast(2, 6) {
		return f, fmt.Errorf("%w: %s is %s", ErrTooOld, path, f.Version)
	}
	return f, nil
}

// parseFeatures reads the output of "haproxy -vv".
func parseFeatures(out string) (Features, error) {
	m := versionPattern.FindStringSubmatch(out)
	if m == nil {
		first, _, _ := strings.Cut(out, "\n")
		return Features{}, fmt.Errorf("no version in %.100q, haproxy %s or later is needed", first, MinVersion)
	}
	major, errMajor := strconv.Atoi(m[2])
	minor, errMinor := strconv.Atoi(m[3])
	if err := errors.Join(errMajor, errMinor); err != nil {
		return Features{}, fmt.Errorf("version %.100q: %w", m[1], err)
	}
	f := Features{Version: m[1], Major: major, Minor: minor}
	for _, list := range featurePattern.FindAllStringSubmatch(out, -1) {
		for word := range strings.FieldsSeq(list[1]) {
			switch word {
			case "+PROMEX":
				f.Exporter = true
			case "+LUA":
				f.Lua = true
			case "+OPENSSL", "+OPENSSL_AWSLC", "+OPENSSL_WOLFSSL":
				f.OpenSSL = true
			}
		}
	}
	return f, nil
}
