-- Some people of a shard in order who fit. KEYS: for each part of them 1 the set to walk through, 2 until when they stand
-- so, 3 from when their own time counts, 4 the names, 5 the e-mails and 6 the subjects of everybody who stands so; of whom
-- a text begins with the prefix's first two characters, 7 in order of time, and 8 in order of names where the name does
-- not begin so; then sets of names in which they must be, too.
-- ARGV: 1 'up' or 'down', 2 where to begin, 3 how many, 4 and 5 bounds of the second and third set, 6 '' or a prefix of
-- name, e-mail or subject, 7 how many characters it has at most that matter, less one, 8 how many characters of time stand
-- before a name, 9 '1' if e-mail and subject follow it, 10 how few are looked at all by their time, 11 how many keys a part
-- has; then for each part whether its second and third set say more than those bounds, and whether nobody in it has a time:
-- its first set is in order of names then.
-- Answers {how far it looked, '' at the end; time, name and id of those found, joined by 0xFF}.
local up, from, wanted, prefix = ARGV[1] == 'up', ARGV[2], tonumber(ARGV[3]), ARGV[6]
local longest, time, whole, few = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1', tonumber(ARGV[10])
local find, sub, byte, rep, call = string.find, string.sub, string.byte, string.rep, redis.call
local bound = #from > 1 and sub(from, 2) or nil
local none = rep('0', time)

-- The first of those found, in order; whether there are others behind them; and how far it was looked, if not to the end.
local found, more, reached = {}, false, nil

local function comes_before(a, b) if up then return a < b end return a > b end
local function begins(text, at) return sub(text, at, at + #prefix - 1) == prefix end
local function counted(set, range) return call('ZLEXCOUNT', set, '[' .. range, '[' .. range .. '\255') end
local function entry_of(part, who)
  return call('ZRANGEBYLEX', part.names, '[' .. who .. '\0', '(' .. who .. '\1', 'LIMIT', 0, 1)[1] or ''
end
-- Where a name that begins at some character, and the id behind it, end; and where e-mail and subject begin.
local function parts_of(text, at)
  local name = find(text, '\0', at, true)
  if not name then return nil end
  local id = find(text, '\0', name + 1, true)
  if not id then return #text end
  local email = find(text, '\0', id + 1, true)
  return id - 1, id + 1, email and email + 1
end
-- Whether e-mail or subject of an entry begin with the prefix.
local function is_other(text, at)
  local _, email, subject = parts_of(text, at)
  return email and (begins(text, email) or subject and begins(text, subject))
end
local function fits(part, who)
  if not says(part.still, part.ends, who, ARGV[4]) or not says(part.in_time, part.begins, who, ARGV[5]) then
    return false
  end
  for i = 1, #part.further do
    if not call('ZSCORE', part.further[i], who) then return false end
  end
  return true
end
local function is_too_late(place) return #found == wanted and not comes_before(place, found[wanted]) end
local function add(part, place, who)
  if bound and not comes_before(bound, place) then return end
  if is_too_late(place) then
    -- Whoever stands last may be here a second time.
    if place ~= found[wanted] then more = true end
    return
  end
  local at = #found + 1
  while at > 1 and comes_before(place, found[at - 1]) do at = at - 1 end
  if found[at - 1] == place or not fits(part, who) then return end
  table.insert(found, at, place)
  if #found > wanted then found[wanted + 1], more = nil, true end
end

-- Through a set in order, from where to begin, as far as entries begin with `range`; before a name stand `skip` characters
-- of time. `meant` says who is meant. False if that was not done after about `patience` entries.
local function walk(part, set, skip, range, meant, patience)
  local low, high, lead, bound = '[' .. range, '[' .. range .. '\255', part.lead, part.bound
  if range == '' then low, high = '-', '+' end
  local start, stop = up and low or high, up and high or low
  if bound and (range == '' or comes_before(sub(start, 2), bound)) then
    if range ~= '' and not comes_before(bound, sub(stop, 2)) then return true end
    start = '(' .. bound
  end
  local chunk, looked = 32, 0
  while true do
    local members = call(up and 'ZRANGEBYLEX' or 'ZREVRANGEBYLEX', set, start, stop, 'LIMIT', 0, chunk)
    for i = 1, #members do
      local member = members[i]
      if is_too_late(lead .. member) then
        more = true
        return true
      end
      if not meant or meant(part, member, skip + 1) then
        local last = parts_of(member, skip + 1)
        if last then add(part, lead .. sub(member, 1, last), sub(member, skip + 1, last)) end
      end
    end
    if #members < chunk then return true end
    looked, chunk = looked + chunk, math.min(2 * chunk, 512)
    start = '(' .. members[#members]
    if patience and looked >= patience then return false end
    if looked >= 5000 then
      local last = members[#members]
      local place = lead .. sub(last, 1, parts_of(last, skip + 1) or #last)
      if not reached or comes_before(place, reached) then reached = place end
      return true
    end
  end
end

-- Few of many have time, or have none any more: they are found by their time. Nobody who is new was ever verified.
local function by_time(part)
  local low, high = '(' .. ARGV[5], '+inf'
  if part.in_time == '0' then low, high = '-inf', ARGV[5] end
  if call('ZCOUNT', part.begins, low, high) > few then return false end
  for _, who in ipairs(call('ZRANGEBYSCORE', part.begins, low, high)) do add(part, none .. who, who) end
  return true
end

-- So are the few whose time beside them is over; when they were verified stands at the end of their entry.
local function by_end(part)
  if call('ZCOUNT', part.ends, '-inf', ARGV[4]) > few then return false end
  for _, who in ipairs(call('ZRANGEBYSCORE', part.ends, '-inf', ARGV[4])) do
    local at = ''
    if time > 0 then
      at = none .. (string.match(entry_of(part, who), '%z(%x+)$') or '')
      at = sub(at, #at - time + 1)
    end
    add(part, at .. who, who)
  end
  return true
end

-- Who is found by a name: in the order of names they stand together.
local function by_name(part)
  for _, member in ipairs(call('ZRANGEBYLEX', part.names, '[' .. prefix, '[' .. prefix .. '\255')) do
    local last = parts_of(member, 1)
    if last then
      local who = sub(member, 1, last)
      add(part, sub(member, #member - time + 1) .. who, who)
    end
  end
end
-- Who is found by an e-mail or subject that shares so many characters with the name, and not by the name.
local function by_other(part, set, shared)
  local range, length = shared .. prefix, #prefix
  for _, member in ipairs(call('ZRANGEBYLEX', set, '[' .. range, '[' .. range .. '\255')) do
    local text = find(member, '\0', 1, true)
    if text and #member > text + 10 and sub(member, text + 1, text + length) ~= prefix then
      local who = sub(member, text + 1, #member - 10)
      local place = who
      if time > 0 then place = (part.timeless and none or sub(member, #member - 8)) .. who end
      if not is_too_late(place) then add(part, place, who) else more = true end
    end
  end
end

-- Texts other than the name stand behind the ends of others.
local behind = '\0' .. prefix
local function is_other_one(_, member, at) return find(member, behind, at, true) and is_other(member, at) end
local function is_meant(part, member, at)
  if not whole then
    member, at = entry_of(part, sub(member, at, parts_of(member, at))), 1
  end
  return begins(member, at) or is_other_one(part, member, at)
end

-- Where its first so many characters end in the prefix.
local function first(characters)
  local at = 1
  for _ = 1, characters do
    at = at + 1
    while at <= #prefix and byte(prefix, at) >= 128 and byte(prefix, at) < 192 do at = at + 1 end
  end
  return sub(prefix, 1, at - 1)
end

-- What it costs, in entries that are walked by: to look somebody up in a set of texts; to look up the texts of somebody
-- whose entry does not hold them.
local LOOKED_UP, WITHOUT_TEXTS = 1.5, 4
local step = whole and 1 or WITHOUT_TEXTS

-- By e-mails and subjects that share so many characters with the name: how many there are, and of which sets.
local function by_others(part, least, most)
  local number, sets = 0, {}
  for shared = least, math.min(most, longest) do
    for _, set in ipairs({part.emails, part.logins}) do
      local some = counted(set, shared .. prefix)
      if some > 0 then number, sets[#sets + 1] = number + some, {set, shared} end
    end
  end
  return number, sets
end
local function look_up(part, sets)
  for _, each in ipairs(sets) do by_other(part, each[1], each[2]) end
end

-- Who is found by a name stands together. Who is found by another text that shares at least two characters with the name
-- stands where names begin with these; who is found by any other text is in a set of whoever has one that begins so. Either
-- few of them are meant, or who walks there soon meets enough of them.
local function in_order_of_names(part)
  walk(part, part.set, 0, prefix, nil, nil)
  local number, sets = by_others(part, 0, 1)
  if number > 0 then
    local set = longest > 0 and part.others or part.names
    local near = call('ZCARD', set)
    local likely = wanted * near / number
    if not whole then likely = likely * call('ZCARD', part.names) / call('ZCARD', part.set) end
    if LOOKED_UP * number > math.min(near, likely) then
      walk(part, set, 0, '', is_other_one, nil)
    else
      look_up(part, sets)
    end
  end
  for shared = 2, longest do
    number, sets = by_others(part, shared, shared)
    if number > 0 then
      local range = first(shared)
      local near = counted(part.set, range)
      local likely = wanted * (whole and near or counted(part.names, range)) / number
      if LOOKED_UP * number > step * math.min(near, likely) then
        walk(part, part.set, 0, range, is_meant, nil)
      else
        look_up(part, sets)
      end
    end
  end
end

local function in_order_of_time(part)
  local names = counted(part.names, prefix)
  local number, sets = by_others(part, 0, longest)
  number = number + names
  if number == 0 then return end
  local set = part.set
  if whole and longest > 0 then set = part.starts end
  local near = call('ZCARD', set)
  local likely = wanted * (whole and near or call('ZCARD', part.names)) / number
  if LOOKED_UP * number > step * math.min(near, likely) and walk(part, set, time, '', is_meant, LOOKED_UP * number) then
    return
  end
  if names > 0 then by_name(part) end
  look_up(part, sets)
end

-- Where to begin among people without a time; false if they all stand before that.
local function without_time()
  if not bound or time == 0 then return bound end
  if sub(bound, 1, time) == none then return sub(bound, time + 1) end
  if up then return false end
  return nil
end

local width = tonumber(ARGV[11])
for i = 1, #KEYS / width do
  local at, said = (i - 1) * width, 9 + 3 * i
  local part = {still = ARGV[said], in_time = ARGV[said + 1], timeless = ARGV[said + 2] == '1', further = {}}
  part.set, part.ends, part.begins = KEYS[at + 1], KEYS[at + 2], KEYS[at + 3]
  part.names, part.emails, part.logins = KEYS[at + 4], KEYS[at + 5], KEYS[at + 6]
  part.starts, part.others = KEYS[at + 7], KEYS[at + 8]
  for j = 9, width do part.further[j - 8] = KEYS[at + j] end
  part.lead, part.bound, part.skip = '', bound, time
  if part.timeless then part.lead, part.bound, part.skip = none, without_time(), 0 end
  if part.bound ~= false and call('ZCARD', part.set) > 0 then
    if prefix ~= '' then
      if part.skip == 0 then in_order_of_names(part) else in_order_of_time(part) end
    elseif not (part.in_time ~= '' and by_time(part)) and not (part.still == '0' and by_end(part)) then
      walk(part, part.set, part.skip, '', nil, nil)
    end
  end
end

while reached and #found > 0 and comes_before(reached, found[#found]) do
  found[#found], more = nil, false
end
if more then reached = found[#found] end
return {reached or '', table.concat(found, '\255')}
