local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local mlb = dofile(here .. "mlb.lua")

mlb.serve("signalmlbhup", "/_mlb_signal/hup")
mlb.serve("signalmlbusr1", "/_mlb_signal/usr1")
