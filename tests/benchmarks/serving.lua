-- Posts the bodies of a file one after the other, whoever it is that answers:
--
--     wrk ... -s serving.lua URL -- REQUESTS [PAUSE]
--
-- REQUESTS has a line a request: path, tab, body. PAUSE is how many milliseconds a connection waits on average
-- between an answer and its next request; without it there is no wait. Headers come from wrk's -H. The last
-- line printed is the result as JSON.

local requests, last = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local path, body = line:match("^(.-)\t(.*)$")
    requests[#requests + 1] = wrk.format("POST", path, nil, body)
  end
  if arguments[2] then
    local pause = tonumber(arguments[2])
    function delay() return math.random(0, 2 * pause) end
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "max": %d, '
      .. '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout
  ))
end
