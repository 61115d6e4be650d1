-- Begins every script that reads one account. KEYS 1 to 5 are those of `redis_keys.account_keys`; a script that is
-- about more of them names the last two of each, `last` and `live`.
-- The answer names the account it is about, so that nobody's answer can be taken for another's.
-- ask: 'field' one live field; 'all' everything alive; 'times' the same, but of sessions other than the field only until
-- when they live.
local function state(id, ask, field, last_key, live_key)
  last_key, live_key = last_key or KEYS[4], live_key or KEYS[5]
  local shard = redis.call('HMGET', KEYS[1], 'store', 'stand')
  local live = {}
  if ask == 'field' then
    live[1] = redis.call('HGET', live_key, field)
  elseif ask ~= 'nothing' then
    live = redis.call('HGETALL', live_key)
    if ask == 'times' then
      for i = 1, #live, 2 do
        if string.sub(live[i], 1, 2) == 's:' and live[i] ~= field then live[i + 1] = string.match(live[i + 1], '^%d*') end
      end
    end
  end
  return {
    id, shard[1], shard[2],
    redis.call('HGET', KEYS[2], id), redis.call('HGET', KEYS[3], id), redis.call('HGET', last_key, id),
    live,
  }
end
