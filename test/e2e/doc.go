// Package e2e holds no code of its own. Its tests run the real mlb, built with the
// race detector, as a process of its own with a real HAProxy, against a simulated
// Marathon whose tasks really serve, and look at it from outside only: by requests,
// by signals, by what is left on the machine.
//
// Each test has its own cluster, loopback addresses and folders, so all of them run
// beside each other. HAProxy, redis-server and MariaDB have to be installed; without
// them tests are skipped, or fail when CI is set.
package e2e
