package image_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The tutorial starts its external balancer with --privileged, which asks for
// every capability. Where the machine itself was given fewer, as a container or
// a guarded virtual machine is, the kernel refuses that. Then the containers'
// runtime is replaced by one that asks for what there is: this test's own
// program under another name, which edits what Docker wants and hands over to
// the real runtime.

// runtimeName is the name under which the test program acts as a runtime.
const runtimeName = "bounded-runc"

// TestMain acts as a container runtime when called by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == runtimeName {
		if err := runBounded(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, runtimeName+":", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// runBounded takes the capabilities that the machine withholds out of the
// description of the container or process, if args make one, and becomes runc.
func runBounded(args []string) error {
	var err error
	switch {
	case slices.Contains(args, "create"):
		err = bound(filepath.Join(valueOf(args, "--bundle"), "config.json"), func(spec map[string]any) map[string]any {
			process, _ := spec["process"].(map[string]any)
			return process
		})
	case slices.Contains(args, "exec") && valueOf(args, "--process") != "":
		err = bound(valueOf(args, "--process"), func(process map[string]any) map[string]any { return process })
	}
	if err != nil {
		return err
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args...), os.Environ())
}

// valueOf returns the word after an option, or an empty one.
func valueOf(args []string, option string) string {
	if i := slices.Index(args, option); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// bound rewrites a description, in which processOf finds the process.
func bound(file string, processOf func(spec map[string]any) map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var spec map[string]any
	if err = json.Unmarshal(text, &spec); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	withheld, err := withheldCapabilities()
	if err != nil {
		return err
	}
	sets, _ := processOf(spec)["capabilities"].(map[string]any)
	for name, set := range sets {
		list, _ := set.([]any)
		sets[name] = slices.DeleteFunc(list, func(c any) bool {
			name, _ := c.(string)
			return slices.Contains(withheld, name)
		})
	}
	if text, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// boundedRuntime returns the path of the test program under the runtime's name.
func boundedRuntime(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), runtimeName)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// missingCapabilities returns the names of what the machine withholds.
func missingCapabilities(t *testing.T) string {
	t.Helper()
	withheld, err := withheldCapabilities()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(withheld, ", ")
}

// withheldCapabilities returns the capabilities that the kernel has and this
// process, root's, can never get.
func withheldCapabilities() ([]string, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(status), "CapBnd:")
	field, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	bounding, err := strconv.ParseUint(field, 16, 64)
	if err != nil {
		return nil, fmt.Errorf("read the bounding set: %w", err)
	}
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return nil, err
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read the last capability: %w", err)
	}
	var withheld []string
	for number, name := range capabilityNames() {
		if number <= last && bounding&(1<<number) == 0 {
			withheld = append(withheld, name)
		}
	}
	return withheld, nil
}

// capabilityNames returns the names of the capabilities by their numbers
// (capabilities(7)), as far as container runtimes know them.
func capabilityNames() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
		"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
		"CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
		"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
		"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
		"CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
		"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
		"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
	}
}
