-- Remove what is over. KEYS: what is alive of some accounts. ARGV: 1 now. Answers how many went.
local gone = 0
for _, key in ipairs(KEYS) do
  local live = redis.call('HGETALL', key)
  for i = 1, #live, 2 do
    if (tonumber(string.match(live[i + 1], '^%d+')) or 0) <= tonumber(ARGV[1]) then
      gone = gone + redis.call('HDEL', key, live[i])
    end
  end
end
return gone
