// Package balancer runs the real mlb for tests, as a process of its own with a real
// HAProxy, on a loopback address and in a folder that belong to one test, and sends
// requests through it. What it starts has ended when the test has.
//
// TestMain calls [Build] once; tests make a [Balancer] with [New], set its fields
// and call [Balancer.Start]. All functions fail the test instead of returning an
// error, unless they say otherwise.
package balancer
