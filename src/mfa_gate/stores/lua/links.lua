-- Some events of a shard, oldest first, for whoever recomputes the chains. KEYS: 1 the trail.
-- ARGV: 1 where to begin, 2 where to end, 3 how many. Answers {id, account, record, link} of each, in one row.
local found = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  found[#found + 1] = entry[1]
  found[#found + 1] = fields.a or ''
  found[#found + 1] = fields.r or ''
  found[#found + 1] = fields.l or ''
end
return found
