-- How many stand in some sets, and how many of others do so still. ARGV: 1 how many of the keys are of the first kind,
-- 2 now. Answers a number for each key.
local found = {}
for i = 1, #KEYS do
  if i <= tonumber(ARGV[1]) then found[i] = redis.call('ZCARD', KEYS[i])
  else found[i] = redis.call('ZCOUNT', KEYS[i], '(' .. ARGV[2], '+inf') end
end
return found
