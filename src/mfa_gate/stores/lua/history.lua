-- Some events of one account, newest first, each found by the one after it. KEYS: 1 the trail, 2 the newest of each.
-- ARGV: 1 account, 2 the last stream id to look at ('+' for all), 3 how many, 4 '' or a kind, 5 '' or where to go on,
-- 6 '' or an event just above the wanted ones, 7 the first stream id to look at.
-- Answers {where to go on, '' at the end; id, record, link of each …}.
local id, below, wanted, kind, at, above = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local first = tonumber(ARGV[7])
local function event(name)
  local entry = redis.call('XRANGE', KEYS[1], name, name)[1]
  if not entry then return nil end
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  return fields
end
if at == '' then
  at = redis.call('HGET', KEYS[2], id) or ''
  local start = above ~= '' and event(above)
  if start and start.a == id then at = start.p or '' end
end
local found = {''}
for _ = 1, 2000 do
  local fields = #at < 20 and string.match(at, '^%d+$') and event(at)
  if not fields or fields.a ~= id or tonumber(at) < first then return found end
  if (not below or tonumber(at) <= below) and (kind == '' or fields.k == kind) then
    found[#found + 1] = at
    found[#found + 1] = fields.r or ''
    found[#found + 1] = fields.l or ''
  end
  -- Only ever backwards: a row that was tampered with must not lead round in circles.
  local before = fields.p or ''
  if not (tonumber(before) and tonumber(before) < tonumber(at)) then return found end
  at = before
  if #found > 3 * wanted then break end
end
found[1] = at
return found
