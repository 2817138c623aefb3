-- Answers HTTP requests for HAProxy's Lua services by asking mlb at its Unix
-- socket. The files beside this one name the services (contract D38).

local mlb = {}

-- The variable is set by mlb for the HAProxy that it starts.
local address = "unix@" .. (os.getenv("MLB_SOCKET_DIR") or "/var/run/haproxy") .. "/mlb.sock"

-- Seconds that mlb may take. It answers from memory.
local patience = 10

-- ask returns the status, the type and the text of mlb's answer to a request for
-- path by client; or nothing, if there is none.
local function ask(path, client)
  local socket = core.tcp()
  socket:settimeout(patience)
  if not socket:connect(address) then
    return nil
  end
  socket:send("GET " .. path .. " HTTP/1.0\r\nX-Mlb-Client: " .. client .. "\r\n\r\n")
  local answer = socket:receive("*a") or ""
  socket:close()
  local head, body = answer:match("^(.-)\r\n\r\n(.*)$")
  if not head then
    return nil
  end
  local status = head:match("^HTTP/%d%.%d (%d%d%d)")
  local kind = head:match("\r\n[Cc]ontent%-[Tt]ype: ([^\r]*)")
  return tonumber(status), kind or "text/plain", body
end

-- serve registers an HTTP service that answers as mlb does at path. A custom HEAD
-- calls it "lua." followed by name.
function mlb.serve(name, path)
  core.register_service(name, "http", function(applet)
    local status, kind, body = ask(path, applet.sf:src() or "unknown")
    if not status then
      status, kind, body = 503, "text/plain", "mlb does not answer"
    end
    applet:set_status(status)
    applet:add_header("content-type", kind)
    applet:add_header("content-length", tostring(#body))
    applet:start_response()
    applet:send(body)
  end)
end

return mlb
