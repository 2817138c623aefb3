local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local mlb = dofile(here .. "mlb.lua")

mlb.serve("getpids", "/_haproxy_getpids")
