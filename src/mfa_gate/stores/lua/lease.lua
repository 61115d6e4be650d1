-- Take or keep a lease. KEYS: 1 a hash. ARGV: 1 holder, 2 now, 3 until. Answers the token, or 0 if another holds it.
local lease = redis.call('HMGET', KEYS[1], 'holder', 'until', 'token')
local token = tonumber(lease[3] or 0)
if lease[1] ~= ARGV[1] then
  if tonumber(lease[2] or 0) > tonumber(ARGV[2]) then return 0 end
  token = token + 1
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', ARGV[3], 'token', token)
return token
