-- Write one account with everything that belongs to it, if nothing has changed since it was read; or change nothing.
-- KEYS: those of state.lua, 6 the trail, 7 the sizes of groups, then the sorted sets, then the streams of kinds; last,
-- where the document is kept for ever under its version, the hash for that.
-- Answers {1, new register}, or {0, what is stored now}.
local at = 1
-- All words come as one, each behind its length: a client takes longer to send many than a server to tell them apart.
local function take()
  local word
  word, at = struct.unpack('>I4c0', ARGV[1], at)
  return word
end
local function each(width, act)
  for _ = 1, tonumber(take()) do
    local row = {}
    for i = 1, width do row[i] = take() end
    act(row)
  end
end

local store, id, document_read, register_read = take(), take(), take(), take()
local found = state(id, 'times')
if found[2] ~= store or not found[3] or (found[4] or '') ~= document_read or (found[5] or '') ~= register_read
  or (register_read == '' and found[6]) then
  return {0, found}
end

-- Redis undoes nothing: whatever could fail has to fail before the first write. Full memory, a full disk and a
-- replica refuse the whole script (its first line asks for that); here it is rights and keys of another type.
local channel, sets, kept = take(), tonumber(take()), take()
local named = #KEYS - (kept ~= '0' and 1 or 0)
local wanted = {
  {'XADD', KEYS[6], '*', 'a', ''}, {'HSET', KEYS[1], 'a', ''}, {'HSET', KEYS[2], 'a', ''}, {'HSET', KEYS[3], 'a', ''},
  {'HSET', KEYS[4], 'a', ''}, {'HSET', KEYS[5], 'a', ''}, {'HDEL', KEYS[5], 'a'}, {'EXPIRE', KEYS[5], 1},
  {'HSET', KEYS[7], 'a', ''}, {'HDEL', KEYS[7], 'a'}, {'PUBLISH', channel, ''},
}
redis.call('XLEN', KEYS[6])
redis.call('HLEN', KEYS[7])
if kept ~= '0' then
  redis.call('HLEN', KEYS[#KEYS])
  wanted[#wanted + 1] = {'HSET', KEYS[#KEYS], 'a', ''}
end
for i = 8, named do
  if i < 8 + sets then
    redis.call('ZCARD', KEYS[i])
    wanted[#wanted + 1] = {'ZADD', KEYS[i], 0, ''}
    wanted[#wanted + 1] = {'ZREM', KEYS[i], ''}
  else
    redis.call('XLEN', KEYS[i])
    wanted[#wanted + 1] = {'XADD', KEYS[i], '*', 'a', ''}
  end
end
for i = 1, #wanted do
  if not redis.acl_check_cmd(unpack(wanted[i])) then
    return redis.error_reply('NOPERM this user may not ' .. wanted[i][1] .. ' ' .. wanted[i][2])
  end
end

-- A time in microseconds, later than any event of this shard has: what two shards wrote can be put in order.
local clock = redis.call('TIME')
local now = math.max(tonumber(clock[1]) * 1000000 + tonumber(clock[2]), tonumber(take()))
if redis.call('EXISTS', KEYS[6]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[6])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then now = math.max(now, tonumber(string.match(info[i + 1], '^%d+')) + 1) end
  end
end

-- First the trail: no audit, no change.
local previous = found[6] or ''
each(4, function(row)
  local name = string.format('%.0f', now)
  redis.call('XADD', KEYS[6], name .. '-0', 'a', id, 'k', row[2], 'r', row[3], 'l', row[4], 'p', previous)
  redis.call('XADD', KEYS[tonumber(row[1])], name .. '-0', 'a', '')
  previous, now = name, now + 1
end)
if previous ~= '' then redis.call('HSET', KEYS[4], id, previous) end

local document, register = take(), take()
if document ~= '' then redis.call('HSET', KEYS[2], id, document) end
if kept ~= '0' then redis.call('HSET', KEYS[#KEYS], kept, document) end
redis.call('HSET', KEYS[3], id, register)
each(1, function(row) redis.call('HDEL', KEYS[5], row[1]) end)
each(2, function(row) redis.call('HSET', KEYS[5], row[1], row[2]) end)
local seconds = tonumber(take())
if seconds > 0 then redis.call('EXPIRE', KEYS[5], seconds) end
each(2, function(row) redis.call('ZREM', KEYS[tonumber(row[1])], row[2]) end)
each(3, function(row) redis.call('ZADD', KEYS[tonumber(row[1])], row[2], row[3]) end)
-- How many stand so in each group that this has touched, so that all groups are shown without looking for them.
each(2, function(row)
  local size = redis.call('ZCARD', KEYS[tonumber(row[1])])
  if size > 0 then redis.call('HSET', KEYS[7], row[2], size) else redis.call('HDEL', KEYS[7], row[2]) end
end)

local token, stand, news = tonumber(take()), take(), take()
if token > 0 then
  local ledger = (tonumber(redis.call('HGET', KEYS[1], 'ledger') or 0) or 0) + token
  redis.call('HSET', KEYS[1], 'ledger', string.format('%.0f', ledger % 281474976710656))
end
if stand ~= '' then redis.call('HSET', KEYS[1], 'stand', stand) end
if news ~= '' then redis.call('PUBLISH', channel, news) end
return {1, register}
