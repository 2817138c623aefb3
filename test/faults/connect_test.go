package faults_test

import (
	"net"
)

// connecting are faults of connections, before anything is said.
func connecting() []row {
	return []row{
		{name: "connections are refused", begin: at(fault{refuse: true}), noticed: deaf},
		{
			name:  "connections are accepted and nothing is read",
			begin: at(fault{cut: true, accept: func(_ *net.TCPConn, ended <-chan struct{}) { <-ended }}),
		},
		{
			name:  "connections are reset as soon as they are there",
			begin: at(fault{cut: true, accept: func(conn *net.TCPConn, _ <-chan struct{}) { _ = conn.SetLinger(0) }}),
		},
		{
			name:  "connections end as soon as they are there",
			begin: at(fault{cut: true, accept: func(*net.TCPConn, <-chan struct{}) {}}),
		},
		{
			name: "new connections are reset while the stream lives",
			begin: at(fault{accept: func(conn *net.TCPConn, _ <-chan struct{}) { _ = conn.SetLinger(0) }, answer: func(x *exchange) {
				reset(x)
			}}),
		},
		{
			name: "connections end after each answer, and it is not said",
			begin: answering(apps, func(x *exchange) {
				pass(x)
				x.over = true
			}),
		},
	}
}
