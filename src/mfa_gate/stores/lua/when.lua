-- Which event of a shard is the first that was written at a time or later. KEYS: 1 the trail. ARGV: 1 the time.
-- Answers its id, or '' if there is none. Found by halving, so that a long trail is not read.
local function first_from(id) return redis.call('XRANGE', KEYS[1], id, '+', 'COUNT', 1)[1] end
local function microseconds(entry) return tonumber(string.match(entry[1], '^%d+')) end
local first, last = first_from('-'), redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not first then return '' end
local low, high, found = microseconds(first), microseconds(last), ''
while low <= high do
  local middle = math.floor((low + high) / 2)
  local entry = first_from(string.format('%.0f', middle))
  local written
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'r' then
      local ok, event = pcall(cjson.decode, entry[2][i + 1])
      written = ok and type(event) == 'table' and tonumber(event.at)
    end
  end
  if (written or 0) >= tonumber(ARGV[1]) then
    found, high = entry[1], middle - 1
  else
    low = microseconds(entry) + 1
  end
end
return found
