-- A request for wrk: the file and its content type come after `--`.
function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = arguments[2]
  file:close()
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  io.write(string.format("\nresult %d %d %d %f %f\n", summary.requests, failed, summary.duration,
    latency:percentile(50), latency:percentile(99)))
end
