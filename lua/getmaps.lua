local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local mlb = dofile(here .. "mlb.lua")

mlb.serve("getvhostmap", "/_haproxy_getvhostmap")
mlb.serve("getappmap", "/_haproxy_getappmap")
