-- Everybody whose name, e-mail or subject begins with a prefix, unless they are many.
-- KEYS: sorted sets by text. ARGV: 1 and 2 the range, 3 how many are too many. Answers false for too many, else the
-- members by set, joined by 0xFF.
local count = 0
for i = 1, #KEYS do
  count = count + redis.call('ZLEXCOUNT', KEYS[i], ARGV[1], ARGV[2])
  if count > tonumber(ARGV[3]) then return false end
end
local found = {}
for i = 1, #KEYS do
  found[i] = table.concat(redis.call('ZRANGEBYLEX', KEYS[i], ARGV[1], ARGV[2]), '\255')
end
return found
