-- Everybody who stands so and whose name, e-mail or subject begins with a prefix, unless they are many.
-- KEYS: 1 names, 2 e-mails, 3 subjects, 4 until when they stand so, then sets of names in which they must be, too.
-- ARGV: 1 and 2 the range, 3 how many are too many, 4 'all', 'still' or 'no_more', 5 now,
-- 6 how many characters of time to answer.
-- Answers false for too many, else time, name and id of each, joined by 0xFF; somebody may come twice.
local count = 0
for i = 1, 3 do
  count = count + redis.call('ZLEXCOUNT', KEYS[i], ARGV[1], ARGV[2])
  if count > tonumber(ARGV[3]) then return false end
end
local which, now, found = ARGV[4], tonumber(ARGV[5]), {}
local function take(who, id, time)
  if which ~= 'all' then
    local still = (tonumber(redis.call('ZSCORE', KEYS[4], id) or 0) or 0) > now
    if still ~= (which == 'still') then return end
  end
  for i = 5, #KEYS do
    if not redis.call('ZSCORE', KEYS[i], who) then return end
  end
  found[#found + 1] = string.sub(time, 1, tonumber(ARGV[6])) .. who
end
for i = 1, 3 do
  local members = redis.call('ZRANGEBYLEX', KEYS[i], ARGV[1], ARGV[2])
  for j = 1, #members do
    local pattern = i == 1 and '^(%Z*%z(%Z*))%z%Z*%z%Z*%z(%x+)$' or '^%Z*%z(%Z*%z(%Z*))%z(%x+)$'
    local who, id, time = string.match(members[j], pattern)
    if who then take(who, id, time) end
  end
end
return table.concat(found, '\255')
