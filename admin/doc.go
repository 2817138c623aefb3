// Package admin is mlb's own HTTP interface. It answers the paths of marathon-lb
// that tell about HAProxy and ask for a refresh or a reload (contract 8), mlb's
// own ones under /_mlb/, and Prometheus:
//
//	/_haproxy_getconfig      what HAProxy was started with, passwords masked
//	/_haproxy_getpids        the ids of HAProxy's processes
//	/_haproxy_getvhostmap    the map of hosts
//	/_haproxy_getappmap      the map of app IDs
//	/_mlb_signal/hup         ask for a full refresh
//	/_mlb_signal/usr1        ask for a reload
//	/_mlb/reload             ask for a reload, in every mode, with POST only
//	/_mlb/live, /_mlb/ready  health, with the reasons and the age of the data
//	/_mlb/release            believe what is held back, with POST only
//	/_mlb/problems           what is wrong in the input
//	/_mlb/workers            HAProxy's worker processes, old ones too
//	/_mlb/metrics            mlb's metrics
//
// Everything else is answered with 503, as HAProxy's statistics listener does: that
// listener forwards these paths to the Unix socket of a [Server], so that clients
// need one port only. Other methods and query strings do not matter.
//
// With [Sources], the paths that give orders or show how traffic is led (signals,
// configuration, maps, problems) are for some clients only.
//
// The package decides nothing: what it tells and what it asks for goes through a
// [View] that its owner implements.
package admin
