package image_test

import (
	"os"
	"slices"
	"strings"
	"testing"
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

// dockerRun runs one of the tutorial's lines on a host and removes the container
// when the test ends, with its log if the test failed.
func dockerRun(t *testing.T, h *host, line, image string) (id string) {
	t.Helper()
	words := strings.Fields(strings.Replace(line, " IMAGE ", " "+image+" ", 1))
	id = h.docker(t, words[1:]...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", line, lastLines(h.docker(t, "logs", "--tail", "60", id), 60))
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
