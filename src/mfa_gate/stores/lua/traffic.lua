-- Add to counters. KEYS: 1 a hash. ARGV: 1 how many there may be, then pairs of counter and number.
local size = redis.call('HLEN', KEYS[1])
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  elseif size < tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    size = size + 1
  end
end
return size
