-- Write some accounts of a shard with everything that belongs to them: each if nothing has changed of it since it was
-- read, or nothing of it.
-- KEYS: those of state.lua for the first account, 6 the trail, 7 the sizes of groups; then the fourth and fifth of
-- state.lua for each further account, the sorted sets, and the streams of kinds; last, where a document is kept for
-- ever under its version, the hash for that.
-- Answers of each account {1, new register}, or {0, what is stored now}.
local at = 1
-- All words come as one, each behind its length: a client takes longer to send many than a server to tell them apart.
local function take()
  local word
  word, at = struct.unpack('>I4c0', ARGV[1], at)
  return word
end
local function rows(width)
  local found = {}
  for i = 1, tonumber(take()) do
    local row = {}
    for j = 1, width do row[j] = take() end
    found[i] = row
  end
  return found
end

local store, channel, sets, kept, stand, earliest = take(), take(), tonumber(take()), take(), take(), take()
local grouped, read = rows(2), rows(3)
local ids = {}
for i = 1, #read do ids[i] = read[i][1] end
local function last_of(i) return i == 1 and KEYS[4] or KEYS[4 + 2 * i] end
local function live_of(i) return i == 1 and KEYS[5] or KEYS[5 + 2 * i] end

local shard = redis.call('HMGET', KEYS[1], 'store', 'stand')
local documents = redis.call('HMGET', KEYS[2], unpack(ids))
local registers = redis.call('HMGET', KEYS[3], unpack(ids))
local answer, newest, fits = {}, {}, false
for i = 1, #ids do
  newest[i] = redis.call('HGET', last_of(i), ids[i])
  if shard[1] ~= store or not shard[2] or (documents[i] or '') ~= read[i][2] or (registers[i] or '') ~= read[i][3]
    or (read[i][3] == '' and newest[i]) then
    answer[i] = {0, state(ids[i], 'times', '', last_of(i), live_of(i))}
  else
    fits = true
  end
end
if not fits then return answer end

-- Redis undoes nothing: whatever could fail has to fail before the first write. Full memory, a full disk and a
-- replica refuse the whole script (its first line asks for that); here it is rights and keys of another type.
local function refuse_without_rights(words)
  if not redis.acl_check_cmd(unpack(words)) then
    error({err = 'NOPERM this user may not ' .. words[1] .. ' ' .. words[2]})
  end
end
local first, named = 6 + 2 * #ids, #KEYS - (kept ~= '0' and 1 or 0)
redis.call('XLEN', KEYS[6])
redis.call('HLEN', KEYS[7])
refuse_without_rights({'XADD', KEYS[6], '*', 'a', ''})
for i = 1, 3 do refuse_without_rights({'HSET', KEYS[i], 'a', ''}) end
refuse_without_rights({'HSET', KEYS[7], 'a', ''})
refuse_without_rights({'HDEL', KEYS[7], 'a'})
refuse_without_rights({'PUBLISH', channel, ''})
for i = 1, #ids do
  redis.call('HLEN', live_of(i))
  refuse_without_rights({'HSET', last_of(i), 'a', ''})
  refuse_without_rights({'HSET', live_of(i), 'a', ''})
  refuse_without_rights({'HDEL', live_of(i), 'a'})
  refuse_without_rights({'EXPIRE', live_of(i), 1})
end
if kept ~= '0' then
  redis.call('HLEN', KEYS[#KEYS])
  refuse_without_rights({'HSET', KEYS[#KEYS], 'a', ''})
end
for i = first, named do
  if i < first + sets then
    redis.call('ZCARD', KEYS[i])
    refuse_without_rights({'ZADD', KEYS[i], 0, ''})
    refuse_without_rights({'ZREM', KEYS[i], ''})
  else
    redis.call('XLEN', KEYS[i])
    refuse_without_rights({'XADD', KEYS[i], '*', 'a', ''})
  end
end

-- A time in microseconds, later than any event of this shard has: what two shards wrote can be put in order.
local clock = redis.call('TIME')
local now = math.max(tonumber(clock[1]) * 1000000 + tonumber(clock[2]), tonumber(earliest))
if redis.call('EXISTS', KEYS[6]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[6])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then now = math.max(now, tonumber(string.match(info[i + 1], '^%d+')) + 1) end
  end
end

-- What is written to one key comes together, whosever it is.
local fields, gone, placed = {}, {}, {}
local function add(lists, name, one, other)
  local list = lists[name]
  if not list then list = {} lists[name] = list end
  if other then list[#list + 1] = other end
  list[#list + 1] = one
end
local function send(command, lists)
  for name, list in pairs(lists) do redis.call(command, name, unpack(list)) end
end

local ledger
local news = {}
for i = 1, #ids do
  local events, document, register, closed, opened = rows(4), take(), take(), rows(1), rows(2)
  local seconds, token, told = tonumber(take()), tonumber(take()), take()
  local left, entered = tonumber(take()), tonumber(take())
  for j = 1, left + entered do
    local set, score, member
    set, score, member, at = struct.unpack('>HdI4c0', ARGV[1], at)
    if not answer[i] then
      if j > left then add(placed, KEYS[set], member, score) else add(gone, KEYS[set], member) end
    end
  end
  if not answer[i] then
    -- First the trail: no audit, no change.
    local previous = newest[i] or ''
    for _, row in ipairs(events) do
      local name = string.format('%.0f', now)
      redis.call('XADD', KEYS[6], name .. '-0', 'a', ids[i], 'k', row[2], 'r', row[3], 'l', row[4], 'p', previous)
      redis.call('XADD', KEYS[tonumber(row[1])], name .. '-0', 'a', '')
      previous, now = name, now + 1
    end
    if previous ~= '' then add(fields, last_of(i), previous, ids[i]) end
    if document ~= '' then add(fields, KEYS[2], document, ids[i]) end
    if kept ~= '0' then add(fields, KEYS[#KEYS], document, kept) end
    add(fields, KEYS[3], register, ids[i])
    for _, row in ipairs(closed) do redis.call('HDEL', live_of(i), row[1]) end
    for _, row in ipairs(opened) do redis.call('HSET', live_of(i), row[1], row[2]) end
    if seconds > 0 then redis.call('EXPIRE', live_of(i), seconds) end
    if token > 0 then
      ledger = ledger or tonumber(redis.call('HGET', KEYS[1], 'ledger') or 0) or 0
      ledger = (ledger + token) % 281474976710656
    end
    if told ~= '' then news[#news + 1] = told end
    answer[i] = {1, register}
  end
end
send('HSET', fields)
send('ZREM', gone)
send('ZADD', placed)
-- How many stand so in each group that this has touched, so that all groups are shown without looking for them.
for _, row in ipairs(grouped) do
  local size = redis.call('ZCARD', KEYS[tonumber(row[1])])
  if size > 0 then redis.call('HSET', KEYS[7], row[2], size) else redis.call('HDEL', KEYS[7], row[2]) end
end
if ledger then redis.call('HSET', KEYS[1], 'ledger', string.format('%.0f', ledger)) end
if stand ~= '' then redis.call('HSET', KEYS[1], 'stand', stand) end
for _, name in ipairs(news) do redis.call('PUBLISH', channel, name) end
return answer
