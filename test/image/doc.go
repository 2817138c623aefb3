// Package image holds no code of its own. Its test runs the container image the
// way a published tutorial on Marathon runs marathon-lb, with that tutorial's
// two docker lines: an internal and an external balancer on two hosts, each with
// --net=host, in front of the simulated Marathon's apps.
//
// Each host is a network namespace with a Docker daemon of its own, so that
// --net=host means that host, with the tutorial's addresses and with ports 80,
// 443, 9090 and 9091 free whatever else the machine runs. The test runs where
// scripts/image-test puts it: as root in network, mount and process namespaces
// of its own, which take everything with them when it ends. Elsewhere it is
// skipped.
package image
