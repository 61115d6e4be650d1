-- Some events of a shard, oldest first, for whoever recomputes the chains. KEYS: 1 the trail.
-- ARGV: 1 where to begin, 2 where to end, 3 how many. Answers one string: of each event the lengths of id, account,
-- record and link (32 bits, big-endian), then these four. A reply of many small parts takes longer to read than to send.
local found = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  local account, record, link = fields.a or '', fields.r or '', fields.l or ''
  found[#found + 1] = struct.pack('>I4I4I4I4', #entry[1], #account, #record, #link)
  found[#found + 1] = entry[1]
  found[#found + 1] = account
  found[#found + 1] = record
  found[#found + 1] = link
end
return table.concat(found)
