-- How many stand in each way, how many of those who do so for a while still do, and how many of those who are new have
-- time. KEYS: sets of names; sets of ends, the last of them of who is new; where it matters from when their own time
-- counts, of who is new and exempt, and of who is new. ARGV: 1 how many sets of names, 2 of ends; 3 now, 4 after.
local names, ends, found = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for i = 1, names do found[i] = redis.call('ZCARD', KEYS[i]) end
for i = names + 1, names + ends do found[i] = redis.call('ZCOUNT', KEYS[i], '(' .. ARGV[3], '+inf') end
if #KEYS > names + ends then
  -- Those whose exemption is over and who were not written since.
  local both = 0
  for _, who in ipairs(redis.call('ZRANGEBYSCORE', KEYS[names + ends], '-inf', ARGV[3])) do
    if says('1', KEYS[names + ends + 1], who, ARGV[4]) then both = both + 1 end
  end
  found[#found + 1] = both
  found[#found + 1] = redis.call('ZCOUNT', KEYS[names + ends + 2], '(' .. ARGV[4], '+inf')
end
return found
