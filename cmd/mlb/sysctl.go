package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"
)

// sysctlRoot is where the kernel shows its parameters.
const sysctlRoot = "/proc/sys"

// setSysctls sets kernel parameters, words of the form key=value, in their order
// (contract 1.1 step 5). One that cannot be set ends it, or is only logged if strict
// is false.
func setSysctls(root string, words []string, strict bool, log *zap.Logger) error {
	for _, word := range words {
		switch err := setSysctl(root, word); {
		case err == nil:
			log.Info("kernel parameter set", zap.String("reason", word))
		case strict:
			return err
		default:
			log.Warn("kernel parameter not set", zap.Error(err))
		}
	}
	return nil
}

// setSysctl sets one parameter, as "sysctl -w" does.
func setSysctl(root, word string) error {
	key, value, ok := strings.Cut(word, "=")
	name := sysctlPath(key)
	if !ok || !filepath.IsLocal(name) || name == "." {
		return fmt.Errorf("set kernel parameter: %q is not key=value", word)
	}
	// Without O_CREATE: what is not there is no parameter.
	file, err := os.OpenFile(filepath.Join(root, name), os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set kernel parameter: there is no %s", key)
	}
	if err == nil {
		_, err = file.WriteString(value + "\n")
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("set kernel parameter %s: %w", key, err)
	}
	return nil
}

// sysctlPath turns a parameter's name into its path. Whichever of dot and slash comes
// first separates, and the other one stands for itself in the other's place:
// net.ipv4.conf.eth0/1.rp_filter is net/ipv4/conf/eth0.1/rp_filter.
func sysctlPath(key string) string {
	first := strings.IndexAny(key, "./")
	if first < 0 || key[first] == '/' {
		return key
	}
	return strings.NewReplacer(".", "/", "/", ".").Replace(key)
}
