package image_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The tutorial's two command lines, the image's name aside.
const (
	internalLine = "docker run -e PORTS=9090 -d --net=host --name internal-marathon-lb IMAGE sse" +
		" -m http://192.168.71.167:8080 -m http://192.168.71.168:8080 -m http://192.168.71.169:8080" +
		" --health-check --group internal"
	externalLine = "docker run -e PORTS=9090 -d --privileged --net=host --name external-marathon-lb IMAGE sse" +
		" -m http://192.168.71.167:8080 -m http://192.168.71.168:8080 -m http://192.168.71.169:8080" +
		" --health-check --group external"
)

// The tutorial's three machines. The third one is the test itself.
const (
	externalHost = "192.168.71.167"
	internalHost = "192.168.71.168"
	thirdHost    = "192.168.71.169"
)

// vhost is what the tutorial's wordpress app calls itself.
const vhost = "test-worldpress.example.com"

// scene is everything in place: two balancers on their hosts, Marathon with the
// tutorial's two groups, and their tasks.
type scene struct {
	image              string
	external, internal *host
	externalID         string
	internalID         string
}

// TestTutorial runs the tutorial's lines and looks at what a reader would see.
func TestTutorial(t *testing.T) {
	image, archive, driver := imageUnderTest(t)
	newBridge(t, append(masterAddresses(), agentAddresses()...)...)
	s := &scene{image: image, external: newHost(t, externalHost, driver), internal: newHost(t, internalHost, driver)}
	s.external.load(t, archive)
	s.internal.load(t, archive)

	startMarathon(t, s)
	s.internalID = dockerRun(t, s.internal, internalLine, image)
	s.externalID = dockerRun(t, s.external, externalLine, image)
	for _, group := range []string{"keys-and-values.json", "wordpress.json"} {
		post(t, "http://"+thirdHost+":8080/v2/groups", group)
	}

	t.Run("a key set through the internal balancer is read back", s.redis)
	t.Run("the virtual host reaches all three tasks and they reach their database", s.wordpress)
	t.Run("what belongs to the other group is not exposed", s.groups)
	t.Run("statistics, metrics and health answer on port 9090", s.statistics)
	t.Run("Docker calls both containers healthy", s.health)
	t.Run("HAProxy's worker has dropped its privileges", s.privileges)
	t.Run("every path of marathon-lb's image is there", s.paths)
	t.Run("docker stop ends both with status 0 and frees the ports", s.stop)
	t.Run("a HEAD with Lua files works, and its log is the container's", s.job)
	t.Run("an ordinary user can run it", s.ordinaryUser)
}

// convergence bounds the time from a change to what it must lead to; the first
// start of MariaDB is part of it.
const convergence = 2 * time.Minute

func (s *scene) redis(t *testing.T) {
	waitFor(t, convergence, "Redis behind port 9000", func(ctx context.Context) error {
		for _, exchange := range [][2]string{{"SET tutorial works", "+OK"}, {"STRLEN tutorial", ":5"}} {
			got, err := ask(ctx, internalHost+":9000", exchange[0])
			if err != nil {
				return err
			}
			if got != exchange[1] {
				return fmt.Errorf("%s: got %q, want %q", exchange[0], got, exchange[1])
			}
		}
		return nil
	})
}

func (s *scene) wordpress(t *testing.T) {
	want := []string{"connected", "connected", "connected"}
	waitFor(t, convergence, "three WordPress tasks", func(ctx context.Context) error {
		seen := map[string]string{}
		for range 12 {
			page, task, err := get(ctx, "http://"+externalHost+"/", vhost)
			if err != nil {
				return err
			}
			_, rest, _ := strings.Cut(page, "database: ")
			state, _, _ := strings.Cut(rest, "\n")
			seen[task] = state
		}
		var got []string
		for _, state := range seen {
			got = append(got, state)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("databases of the tasks that answer (-want +got):\n%s", diff)
		}
		return nil
	})
}

func (s *scene) groups(t *testing.T) {
	for _, address := range []string{
		externalHost + ":9000", externalHost + ":10000", // internal apps
		internalHost + ":11111", // an external app
	} {
		var dialer net.Dialer
		if conn, err := dialer.DialContext(t.Context(), "tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("connect to %s: %v, want a refusal", address, err)
			if conn != nil {
				_ = conn.Close()
			}
		}
	}
	// The keys-and-values app has no group at all.
	for _, address := range []string{externalHost, internalHost} {
		page, _, err := get(t.Context(), "http://"+address+":9090/_haproxy_getconfig", "")
		if err != nil {
			t.Error(err)
		} else if strings.Contains(page, "keys-and-values_app") {
			t.Errorf("the configuration of %s names an app without a group:\n%s", address, page)
		}
	}
}

func (s *scene) statistics(t *testing.T) {
	for _, address := range []string{externalHost, internalHost} {
		for path, want := range map[string]string{
			"/haproxy?stats":         "Statistics Report",
			"/metrics":               "haproxy_process_",
			"/_haproxy_health_check": "",
			"/_haproxy_getconfig":    "listen stats",
		} {
			page, _, err := get(t.Context(), "http://"+address+":9090"+path, "")
			if err != nil {
				t.Errorf("%s: %v", path, err)
			} else if !strings.Contains(page, want) {
				t.Errorf("%s on %s: got %.200q, want it to contain %q", path, address, page, want)
			}
		}
	}
}

func (s *scene) health(t *testing.T) {
	for h, id := range map[*host]string{s.external: s.externalID, s.internal: s.internalID} {
		waitFor(t, time.Minute, "health of the container on "+h.address, func(context.Context) error {
			if got := h.docker(t, "inspect", "--format", "{{.State.Health.Status}}", id); got != "healthy" {
				return errors.New(got)
			}
			return nil
		})
	}
}

func (s *scene) privileges(t *testing.T) {
	users := map[string][]string{}
	table := s.external.docker(t, "top", s.externalID, "-eo", "pid,user:20,comm")
	for _, line := range strings.Split(table, "\n")[1:] {
		if fields := strings.Fields(line); len(fields) == 3 {
			users[fields[2]] = append(users[fields[2]], fields[1])
		}
	}
	if !slices.Contains(users["haproxy"], "root") {
		t.Errorf("processes of the container:\n%s\nwant HAProxy's master as root", table)
	}
	if !slices.ContainsFunc(users["haproxy"], func(user string) bool { return user != "root" }) {
		t.Errorf("processes of the container:\n%s\nwant HAProxy's worker as another user than root", table)
	}
}

func (s *scene) stop(t *testing.T) {
	for h, id := range map[*host]string{s.external: s.externalID, s.internal: s.internalID} {
		h.docker(t, "stop", "--time", "20", id)
		if got := h.docker(t, "inspect", "--format", "{{.State.ExitCode}}", id); got != "0" {
			t.Errorf("container on %s ended with status %s, want 0", h.address, got)
		}
		var dialer net.Dialer
		if conn, err := dialer.DialContext(t.Context(), "tcp", h.address+":9090"); err == nil {
			_ = conn.Close()
			t.Errorf("port 9090 of %s is still served", h.address)
		}
	}
}

// ordinaryUser starts the image as a user that is not root, on a host that
// allows everybody the low ports.
func (s *scene) ordinaryUser(t *testing.T) {
	run(t, "nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", s.external.pid),
		"sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start")
	line := strings.Replace(externalLine, "--privileged", "--user 1000", 1)
	dockerRun(t, s.external, line, s.image)
	s.wordpressAnswers(t)
}

// wordpressAnswers waits for any task behind the virtual host.
func (s *scene) wordpressAnswers(t *testing.T) {
	t.Helper()
	waitFor(t, time.Minute, "WordPress", func(ctx context.Context) error {
		_, _, err := get(ctx, "http://"+externalHost+"/", vhost)
		return err
	})
}

// dockerRun runs one of the tutorial's lines on a host and removes the container
// when the test ends, with its log if the test failed.
func dockerRun(t *testing.T, h *host, line, image string) (id string) {
	t.Helper()
	words := strings.Fields(strings.Replace(line, " IMAGE ", " "+image+" ", 1))
	id = h.docker(t, words[1:]...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", line, h.logs(t, id))
		}
		h.docker(t, "rm", "--force", id)
	})
	return id
}

// imageUnderTest returns what scripts/image-test passes on.
func imageUnderTest(t *testing.T) (name, archive, storageDriver string) {
	t.Helper()
	name, archive = os.Getenv("MLB_IMAGE"), os.Getenv("MLB_IMAGE_ARCHIVE")
	if name == "" || archive == "" {
		t.Skip("no image named; make image-test runs this")
	}
	// Other drivers are not selected by name.
	if driver := os.Getenv("MLB_IMAGE_DRIVER"); slices.Contains([]string{"overlay2", "fuse-overlayfs", "vfs", "btrfs"}, driver) {
		storageDriver = driver
	}
	return name, archive, storageDriver
}

// post sends a document as the tutorial's curl does.
func post(t *testing.T, url, file string) {
	t.Helper()
	run(t, "curl", "--silent", "--show-error", "--fail", "--location",
		"-H", "Content-Type: application/json", "-d", "@testdata/"+file, url)
}

// ask sends one line and returns the first line of the answer.
func ask(ctx context.Context, address, line string) (string, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err = conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err = io.WriteString(conn, line+"\r\n"); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer), err
}

// get returns the page at url, as the given host, and the task that answered. It
// is an error when the status is not 200.
func get(ctx context.Context, url, asHost string) (page, task string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", "", err
	}
	request.Host = asHost
	request.Close = true
	response, err := http.DefaultTransport.RoundTrip(request) //nolint:forbidigo // the deadline is the context's
	if err != nil {
		return "", "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", "", fmt.Errorf("%s: status %d", url, response.StatusCode)
	}
	return string(body), response.Header.Get("X-Task"), nil
}
