-- Some people in order who fit. KEYS: 1 the set to walk through, 2 until when they stand so, 3 the names of everybody
-- who stands so, then sets of names in which they must be, too.
-- ARGV: 1 'up' or 'down', 2 where to begin, 3 how many, 4 'all', 'still' or 'no_more', 5 now, 6 '' or a prefix of name,
-- e-mail or subject, 7 how many characters of time stand before a name, 8 '1' if e-mail and subject follow it.
-- Answers {how far it looked, '' at the end; time, name and id of those found, joined by 0xFF}.
local up, from, wanted, which = ARGV[1] == 'up', ARGV[2], tonumber(ARGV[3]), ARGV[4]
local now, prefix, time, whole = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), ARGV[8] == '1'
local find, sub, match = string.find, string.sub, string.match

local function begins(text) return sub(text, 1, #prefix) == prefix end
local function is_meant(text, who)
  if not whole then
    text = redis.call('ZRANGEBYLEX', KEYS[3], '[' .. who .. '\0', '(' .. who .. '\1', 'LIMIT', 0, 1)[1] or ''
  end
  local name, email, subject = match(text, '^(%Z*)%z%Z*%z(%Z*)%z(%Z*)')
  return name ~= nil and (begins(name) or begins(email) or begins(subject))
end
local function fits(text, who, id)
  if which ~= 'all' then
    local still = (tonumber(redis.call('ZSCORE', KEYS[2], id) or 0) or 0) > now
    if still ~= (which == 'still') then return false end
  end
  for i = 4, #KEYS do
    if not redis.call('ZSCORE', KEYS[i], who) then return false end
  end
  return prefix == '' or is_meant(text, who)
end

local chunk = (which == 'all' and prefix == '' and #KEYS < 4) and wanted or 200
local found, looked = {}, 0
while true do
  local members
  if up then members = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, chunk)
  else members = redis.call('ZREVRANGEBYLEX', KEYS[1], from, '-', 'LIMIT', 0, chunk) end
  for i = 1, #members do
    local text = sub(members[i], time + 1)
    if prefix == '' or not whole or find(text, prefix, 1, true) then
      local who, id = match(text, '^(%Z*%z(%Z*))')
      if who and fits(text, who, id) then
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
