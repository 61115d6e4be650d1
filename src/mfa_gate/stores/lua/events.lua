-- Some events of a shard, newest first. KEYS: 1 the trail, then the streams of the wanted kinds; none: all are wanted.
-- ARGV: 1 the last stream id to look at, 2 how many, 3 the first stream id. Answers {id, record, link} of each, in one row.
local found, wanted = {}, tonumber(ARGV[2])
local function add(entry)
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  found[#found + 1] = entry[1]
  found[#found + 1] = fields.r or ''
  found[#found + 1] = fields.l or ''
end
local function newest(stream) return redis.call('XREVRANGE', stream, ARGV[1], ARGV[3], 'COUNT', wanted) end
if #KEYS == 1 then
  local rows = newest(KEYS[1])
  for i = 1, #rows do add(rows[i]) end
  return found
end
local names = {}
for i = 2, #KEYS do
  for _, entry in ipairs(newest(KEYS[i])) do names[#names + 1] = entry[1] end
end
if #KEYS > 2 then
  local function time(name) return tonumber(string.match(name, '^%d+')) end
  table.sort(names, function(a, b) return time(a) > time(b) end)
end
for i = 1, math.min(#names, wanted) do
  add(redis.call('XRANGE', KEYS[1], names[i], names[i])[1] or {names[i], {}})
end
return found
