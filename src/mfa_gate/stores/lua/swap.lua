-- Put a new value where the old one still is ('': none). KEYS 1: a hash. ARGV: field, old value, new value.
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
