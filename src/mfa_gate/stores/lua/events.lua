-- Some events of a shard, newest first. KEYS: 1 the trail, 2 (optional) the stream of one kind.
-- ARGV: 1 the last stream id to look at, 2 how many, 3 the first stream id. Answers {id, record, link} of each, in one row.
local found = {}
local function add(entry)
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  found[#found + 1] = entry[1]
  found[#found + 1] = fields.r or ''
  found[#found + 1] = fields.l or ''
end
local rows = redis.call('XREVRANGE', KEYS[#KEYS], ARGV[1], ARGV[3], 'COUNT', ARGV[2])
for i = 1, #rows do
  if #KEYS == 1 then
    add(rows[i])
  else
    local entry = redis.call('XRANGE', KEYS[1], rows[i][1], rows[i][1])[1]
    add(entry or {rows[i][1], {}})
  end
end
return found
