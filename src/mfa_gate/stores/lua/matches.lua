-- Everybody who stands so and whose name, e-mail or subject begins with a prefix, unless they are many.
-- KEYS: 1 names, 2 e-mails, 3 subjects, 4 until when they stand so, 5 from when their own time counts, then sets of
-- names in which they must be, too.
-- ARGV: 1 and 2 the range, 3 how many are too many, 4 and 5 whether the fourth set says more than that, 6 and 7 whether
-- the fifth does, 8 how many characters of time to answer.
-- Answers false for too many, else time, name and id of each, joined by 0xFF; somebody may come twice.
local count = 0
for i = 1, 3 do
  count = count + redis.call('ZLEXCOUNT', KEYS[i], ARGV[1], ARGV[2])
  if count > tonumber(ARGV[3]) then return false end
end
local found = {}
local function take(who, time)
  if not says(ARGV[4], KEYS[4], who, ARGV[5]) or not says(ARGV[6], KEYS[5], who, ARGV[7]) then return end
  for i = 6, #KEYS do
    if not redis.call('ZSCORE', KEYS[i], who) then return end
  end
  found[#found + 1] = string.sub(time, 1, tonumber(ARGV[8])) .. who
end
for i = 1, 3 do
  local members = redis.call('ZRANGEBYLEX', KEYS[i], ARGV[1], ARGV[2])
  for j = 1, #members do
    local pattern = i == 1 and '^(%Z*%z%Z*)%z%Z*%z%Z*%z(%x+)$' or '^%Z*%z(%Z*%z%Z*)%z(%x+)$'
    local who, time = string.match(members[j], pattern)
    if who then take(who, time) end
  end
end
return table.concat(found, '\255')
