-- How many stand in each set, and how many are paused now. KEYS: 1 who is paused, then sets. ARGV: 1 now.
local found = {redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf')}
for i = 2, #KEYS do found[i] = redis.call('ZCARD', KEYS[i]) end
return found
