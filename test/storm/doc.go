// Package storm lets so much change in a simulated Marathon that no balancer can follow
// each event by itself, and finds out whether mlb did what it promises then: one pass
// at a time, one reload in an interval, few workers of HAProxy, and in the end exactly
// what Marathon says.
//
//	s := storm.New(storm.Options{Apps: 100, Events: 500, Length: 2 * time.Second})
//	cluster options: Observer: s.Observe
//	err = s.Deploy(ctx, cluster)
//	… start mlb …
//	w := storm.Watch(ctx, socket)
//	err = s.Run(ctx)
//	err = s.Exact(ctx, balancer)
//	seen := w.Stop()
//
// A test and a benchmark use it. It knows Marathon by the simulator and HAProxy by its
// sockets and ports; of mlb it knows the names of backends, and one line of the log.
package storm
