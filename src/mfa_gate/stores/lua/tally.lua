-- Write down how many stand so in some groups. KEYS: 1 the sizes of groups, then sets of names. ARGV: the field of each.
for i = 2, #KEYS do redis.call('HSET', KEYS[1], ARGV[i - 1], redis.call('ZCARD', KEYS[i])) end
return 1
