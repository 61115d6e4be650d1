-- Take the oldest events of a shard out, and keep what their chains go on from; or change nothing.
-- KEYS: 1 shard, 2 the trail, 3 bases, then the streams of the kinds.
-- ARGV: 1 how much had left ('': nothing), 2 how much has then, 3 the last id, 4 how many, 5 what the ledger loses, then
-- of each account its id and its base. Answers how many events were taken out.
if (redis.call('HGET', KEYS[1], 'removed') or '') ~= ARGV[1] then return 0 end
local wanted = tonumber(ARGV[4])
-- A prefix of a stream only ever loses what this script takes: as many are there as were read, or it was tampered with.
if #redis.call('XRANGE', KEYS[2], '-', ARGV[3], 'COUNT', wanted + 1) ~= wanted then return 0 end
redis.call('HLEN', KEYS[3])
local first = string.match(ARGV[3], '^%d+') .. '-1'
for i = 2, #KEYS do
  local may = i == 3 and {'HSET', KEYS[i], 'a', ''} or {'XTRIM', KEYS[i], 'MINID', first}
  if not redis.acl_check_cmd(unpack(may)) then
    return redis.error_reply('NOPERM this user may not ' .. may[1] .. ' ' .. may[2])
  end
  if i ~= 3 then redis.call('XLEN', KEYS[i]) end
end
for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
local ledger = (tonumber(redis.call('HGET', KEYS[1], 'ledger') or 0) or 0) - tonumber(ARGV[5])
redis.call('HSET', KEYS[1], 'ledger', string.format('%.0f', ledger % 281474976710656), 'removed', ARGV[2])
for i = 2, #KEYS do
  if i ~= 3 then redis.call('XTRIM', KEYS[i], 'MINID', first) end
end
return wanted
