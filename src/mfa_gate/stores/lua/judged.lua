-- What is to be compared of one account, at one moment. KEYS: those of state.lua, 6 the trail, 7 bases.
-- ARGV: account, how many events to go back at most.
-- Answers {state, {link of the newest event, links before it}, base}; a link is empty where its event is not there.
local found = state(ARGV[1], 'nothing')
local links, at = {}, found[6]
for i = 1, tonumber(ARGV[2]) do
  if not at or at == '' then break end
  local entry = redis.call('XRANGE', KEYS[6], at .. '-0', at .. '-0')[1]
  links[i] = ''
  at = nil
  if entry then
    local fields = {}
    for j = 1, #entry[2], 2 do fields[entry[2][j]] = entry[2][j + 1] end
    links[i] = fields.l or ''
    at = fields.p
  end
end
return {found, links, redis.call('HGET', KEYS[7], ARGV[1])}
