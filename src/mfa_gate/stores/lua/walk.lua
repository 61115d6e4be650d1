-- Some people of a shard in order who fit. KEYS: for each part of them 1 the set to walk through, 2 until when they stand
-- so, 3 from when their own time counts, 4 the names, 5 the e-mails and 6 the subjects of everybody who stands so, then
-- sets of names in which they must be, too. ARGV: 1 'up' or 'down', 2 where to begin, 3 how many, 4 and 5 bounds of the
-- second and third set, 6 '' or a prefix of name, e-mail or subject, 7 how many characters it has at most that matter,
-- 8 how many characters of time stand before a name, 9 '1' if e-mail and subject follow it, 10 how few are put in order
-- here, 11 how many keys a part has; then for each part whether its second and third set say more than those bounds.
-- Answers {how far it looked, '' at the end; time, name and id of those found, joined by 0xFF}.
local up, from, wanted, prefix = ARGV[1] == 'up', ARGV[2], tonumber(ARGV[3]), ARGV[6]
local time, whole, few, width = tonumber(ARGV[8]), ARGV[9] == '1', tonumber(ARGV[10]), tonumber(ARGV[11])
local find, sub, match = string.find, string.sub, string.match
local bound = #from > 1 and sub(from, 2) or nil

local function comes_before(a, b) if up then return a < b end return a > b end
local function begins(text) return sub(text, 1, #prefix) == prefix end
local function is_meant(part, text, who)
  if not whole then
    text = redis.call('ZRANGEBYLEX', part.names, '[' .. who .. '\0', '(' .. who .. '\1', 'LIMIT', 0, 1)[1] or ''
  end
  local name, email, subject = match(text, '^(%Z*)%z%Z*%z(%Z*)%z(%Z*)')
  return name ~= nil and (begins(name) or begins(email) or begins(subject))
end
local function fits(part, who)
  if not says(part.still, part.ends, who, ARGV[4]) or not says(part.in_time, part.begins, who, ARGV[5]) then
    return false
  end
  for i = 1, #part.further do
    if not redis.call('ZSCORE', part.further[i], who) then return false end
  end
  return true
end
local function add(part, found, place, who)
  if (not bound or comes_before(bound, place)) and fits(part, who) then found[#found + 1] = place end
end

-- Few of many have time, or have none any more: they are found by their time. Nobody who is new was ever verified.
local function by_time(part, found)
  local low, high = '(' .. ARGV[5], '+inf'
  if part.in_time == '0' then low, high = '-inf', ARGV[5] end
  if redis.call('ZCOUNT', part.begins, low, high) > few then return false end
  for _, who in ipairs(redis.call('ZRANGEBYSCORE', part.begins, low, high)) do
    add(part, found, string.rep('0', time) .. who, who)
  end
  return true
end

-- So are the few whose time beside them is over; when they were verified stands at the end of their entry.
local function by_end(part, found)
  if redis.call('ZCOUNT', part.ends, '-inf', ARGV[4]) > few then return false end
  for _, who in ipairs(redis.call('ZRANGEBYSCORE', part.ends, '-inf', ARGV[4])) do
    local at = ''
    if time > 0 then
      local entry = redis.call('ZRANGEBYLEX', part.names, '[' .. who .. '\0', '(' .. who .. '\1', 'LIMIT', 0, 1)[1]
      at = string.rep('0', time) .. (match(entry or '', '%z(%x+)$') or '')
    end
    add(part, found, sub(at, #at - time + 1) .. who, who)
  end
  return true
end

-- Ranges of a set of texts that begin with the prefix. Before an e-mail or a subject stands how many characters it shares
-- with a name: whose name begins with the prefix, too, is not looked for twice.
local function ranges(shares)
  local found = {}
  if not shares then return {prefix} end
  for shared = 0, tonumber(ARGV[7]) do found[#found + 1] = shared .. prefix end
  return found
end
local function count(set, shares)
  local number = 0
  for _, range in ipairs(ranges(shares)) do
    number = number + redis.call('ZLEXCOUNT', set, '[' .. range, '[' .. range .. '\255')
  end
  return number
end
local function others(part, found)
  local seen = {}
  for _, set in ipairs({part.emails, part.subjects}) do
    for _, range in ipairs(ranges(true)) do
      for _, member in ipairs(redis.call('ZRANGEBYLEX', set, '[' .. range, '[' .. range .. '\255')) do
        local who, at = match(member, '^%Z*%z(%Z*%z%Z*)%z(%x+)$')
        if who and not seen[who] and not begins(who) then
          seen[who] = true
          add(part, found, sub(at, 1, time) .. who, who)
        end
      end
    end
  end
end

-- Adds some people of a part; how far it looked, or nil at the end.
local function walk(part, found)
  if prefix == '' and part.in_time ~= '' and by_time(part, found) then return nil end
  if prefix == '' and part.still == '0' and by_end(part, found) then return nil end
  local from, to, checks = from, up and '+' or '-', prefix ~= ''
  if checks and count(part.emails, true) + count(part.subjects, true) <= few then
    if time == 0 then
      -- Whose names begin so stand together in the order of names.
      others(part, found)
      checks, to = false, up and '[' .. prefix .. '\255' or '[' .. prefix
      local edge = up and prefix or prefix .. '\255'
      if not bound or comes_before(bound, edge) then from = '[' .. edge end
      if bound and not comes_before(bound, sub(to, 2)) then return nil end
    elseif count(part.names, false) <= few then
      others(part, found)
      for _, member in ipairs(redis.call('ZRANGEBYLEX', part.names, '[' .. prefix, '[' .. prefix .. '\255')) do
        local who, at = match(member, '^(%Z*%z%Z*)%z%Z*%z%Z*%z(%x+)$')
        if who then add(part, found, sub(at, 1, time) .. who, who) end
      end
      return nil
    end
  end
  local filtered = checks or part.still ~= '' or part.in_time ~= '' or #part.further > 0
  local chunk, looked, added = filtered and 200 or wanted, 0, 0
  while true do
    local members = redis.call(up and 'ZRANGEBYLEX' or 'ZREVRANGEBYLEX', part.set, from, to, 'LIMIT', 0, chunk)
    for i = 1, #members do
      local text = sub(members[i], time + 1)
      if not checks or not whole or find(text, prefix, 1, true) then
        local who = match(text, '^%Z*%z%Z*')
        if who and fits(part, who) and (not checks or is_meant(part, text, who)) then
          found[#found + 1], added = sub(members[i], 1, time) .. who, added + 1
          if added == wanted then return found[#found] end
        end
      end
    end
    if #members < chunk then return nil end
    looked = looked + #members
    local last = members[#members]
    if looked >= 5000 then return sub(last, 1, time) .. (match(sub(last, time + 1), '^%Z*%z%Z*') or '') end
    from = '(' .. last
  end
end

local found, reached = {}, nil
for i = 1, #KEYS / width do
  local at, part = (i - 1) * width, {still = ARGV[10 + 2 * i], in_time = ARGV[11 + 2 * i], further = {}}
  part.set, part.ends, part.begins = KEYS[at + 1], KEYS[at + 2], KEYS[at + 3]
  part.names, part.emails, part.subjects = KEYS[at + 4], KEYS[at + 5], KEYS[at + 6]
  for j = 7, width do part.further[j - 6] = KEYS[at + j] end
  local far = walk(part, found)
  if far and (not reached or comes_before(far, reached)) then reached = far end
end
table.sort(found, comes_before)
local answer = {}
for i = 1, #found do
  if reached and comes_before(reached, found[i]) then break end
  answer[i] = found[i]
  if i == wanted then
    reached = (i < #found or reached) and found[i]
    break
  end
end
return {reached or '', table.concat(answer, '\255')}
