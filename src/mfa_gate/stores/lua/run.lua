-- Write a run of reminders where the old value still is, and add results; or forget it.
-- KEYS: 1 runs that are open, 2 runs that are finished, 3 … the results of each outcome.
-- ARGV: 1 id, 2 old value or '', 3 new value or '' to forget, 4 which of the first two keys it belongs to, then for
-- each key from 3 on how many results and the results. Answers 1, or 0 if something else is stored.
local id, old, new = ARGV[1], ARGV[2], ARGV[3]
local found = redis.call('HGET', KEYS[1], id) or redis.call('HGET', KEYS[2], id) or ''
if found ~= old then return 0 end
for i = 3, #KEYS do redis.call('LLEN', KEYS[i]) end
redis.call('HDEL', KEYS[1], id)
redis.call('HDEL', KEYS[2], id)
if new == '' then
  for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
  return 1
end
redis.call('HSET', KEYS[tonumber(ARGV[4])], id, new)
local at = 5
for i = 3, #KEYS do
  local number = tonumber(ARGV[at])
  for j = 1, number do redis.call('RPUSH', KEYS[i], ARGV[at + j]) end
  at = at + number + 1
end
return 1
