-- Some people in order who fit. KEYS: 1 the set to walk through, 2 until when they stand so, 3 from when their own time
-- counts, 4 the names of everybody who stands so, then sets of names in which they must be, too.
-- ARGV: 1 'up' or 'down', 2 where to begin, 3 how many, 4 and 5 whether the second set says more than that, 6 and 7
-- whether the third does, 8 '' or a prefix of name, e-mail or subject, 9 how many characters of time stand before a
-- name, 10 '1' if e-mail and subject follow it, 11 how few are put in order here.
-- Answers {how far it looked, '' at the end; time, name and id of those found, joined by 0xFF}.
local up, from, wanted, prefix = ARGV[1] == 'up', ARGV[2], tonumber(ARGV[3]), ARGV[8]
local time, whole = tonumber(ARGV[9]), ARGV[10] == '1'
local find, sub, match = string.find, string.sub, string.match

local function begins(text) return sub(text, 1, #prefix) == prefix end
local function is_meant(text, who)
  if not whole then
    text = redis.call('ZRANGEBYLEX', KEYS[4], '[' .. who .. '\0', '(' .. who .. '\1', 'LIMIT', 0, 1)[1] or ''
  end
  local name, email, subject = match(text, '^(%Z*)%z%Z*%z(%Z*)%z(%Z*)')
  return name ~= nil and (begins(name) or begins(email) or begins(subject))
end
local function fits(text, who)
  if not says(ARGV[4], KEYS[2], who, ARGV[5]) or not says(ARGV[6], KEYS[3], who, ARGV[7]) then return false end
  for i = 5, #KEYS do
    if not redis.call('ZSCORE', KEYS[i], who) then return false end
  end
  return prefix == '' or is_meant(text, who)
end
local found = {}

-- Few of many have time, or have none any more: they are found by their time. Nobody who is new was ever verified.
if ARGV[6] ~= '' and prefix == '' then
  local low, high = '(' .. ARGV[7], '+inf'
  if ARGV[6] == '0' then low, high = '-inf', ARGV[7] end
  if redis.call('ZCOUNT', KEYS[3], low, high) <= tonumber(ARGV[11]) then
    local members, zeros = redis.call('ZRANGEBYSCORE', KEYS[3], low, high), string.rep('0', time)
    local bound = (from ~= '-' and from ~= '+') and sub(from, 2) or nil
    for i = 1, #members do
      local place = zeros .. members[i]
      local past = not bound or (up and place > bound) or (not up and place < bound)
      if past and fits(members[i], members[i]) then found[#found + 1] = place end
    end
    table.sort(found, function(a, b) if up then return a < b end return a > b end)
    for i = #found, wanted + 1, -1 do found[i] = nil end
    return {found[wanted] or '', table.concat(found, '\255')}
  end
end

local chunk = (ARGV[4] == '' and ARGV[6] == '' and prefix == '' and #KEYS < 5) and wanted or 200
local looked = 0
while true do
  local members
  if up then members = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, chunk)
  else members = redis.call('ZREVRANGEBYLEX', KEYS[1], from, '-', 'LIMIT', 0, chunk) end
  for i = 1, #members do
    local text = sub(members[i], time + 1)
    if prefix == '' or not whole or find(text, prefix, 1, true) then
      local who = match(text, '^%Z*%z%Z*')
      if who and fits(text, who) then
        found[#found + 1] = sub(members[i], 1, time) .. who
        if #found == wanted then return {found[wanted], table.concat(found, '\255')} end
      end
    end
  end
  looked = looked + #members
  if #members < chunk then return {'', table.concat(found, '\255')} end
  local last = members[#members]
  if looked >= 5000 then
    return {sub(last, 1, time) .. (match(sub(last, time + 1), '^%Z*%z%Z*') or ''), table.concat(found, '\255')}
  end
  from = '(' .. last
end
