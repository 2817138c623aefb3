// Package marathonsim simulates Apache Mesos Marathon, so that its clients can be
// tested and shown without a cluster: the HTTP API and event stream of one or more
// masters, and the agents that run tasks. It turns app definitions, posted in the
// documents that Marathon takes, into tasks that really listen on loopback
// addresses, probes their health and carries out deployments.
//
//	c, err := marathonsim.New(marathonsim.Options{Masters: 3, Speed: 100})
//	…
//	err = c.Start(ctx)
//	defer c.Close()
//	err = c.Deploy(`{"id": "/cart", "instances": 2, "cmd": "serve"}`)
//	tasks, err := c.WaitRunning(ctx, "/cart", 2)
//
// The zero value of [Options] works. In tests, package simtest does the first
// lines. A running cluster is used in two ways: over HTTP at [Cluster.Masters], as
// by a client of Marathon, and by the methods of [Cluster], as by somebody who
// causes trouble: tasks that die or fail, leaders that change, masters that hang.
//
// What is simulated follows Marathon's own source, manual and changelog, from 0.11
// to 1.11: see [Generation]. The README beside this file lists what is
// simulated and what is not. The package shares no type with mlb's client of
// Marathon: they are to make different mistakes.
package marathonsim
