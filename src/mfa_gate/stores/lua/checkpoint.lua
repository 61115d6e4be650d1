-- Keep a checkpoint if it follows the newest. KEYS: 1 a stream, 2 shard. ARGV: number, body, key, signature.
-- Answers 1, or 0 if its number is not the next, or if the store has been emptied meanwhile.
if redis.call('HEXISTS', KEYS[2], 'store') == 0 then return 0 end
local newest = 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if last then newest = tonumber(string.match(last[1], '^%d+')) end
end
if tonumber(ARGV[1]) ~= newest + 1 then return 0 end
redis.call('XADD', KEYS[1], string.format('%d-0', newest + 1), 'b', ARGV[2], 'k', ARGV[3], 's', ARGV[4])
return 1
