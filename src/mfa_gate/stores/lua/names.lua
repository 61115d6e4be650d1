-- Some names in order. KEYS: 1 a set of names, 2 who is paused.
-- ARGV: 1 where to begin, 2 how many, 3 '' or whom to leave out ('paused' or 'open'), 4 now, 5 '' or a prefix of
-- name, e-mail or subject. Answers {how far it looked, '' at the end; the members found, joined by 0xFF}.
local from, wanted, without, now, prefix = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local chunk = (without == '' and prefix == '') and wanted or 200
local found, looked = {}, 0
while true do
  local members = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, chunk)
  for i = 1, #members do
    local member = members[i]
    local name, id, email, subject = string.match(member, '^(%Z*)%z(%Z*)%z(%Z*)%z(%Z*)$')
    local fits = name ~= nil
    if fits and prefix ~= '' then
      fits = string.sub(name, 1, #prefix) == prefix or string.sub(email, 1, #prefix) == prefix
        or string.sub(subject, 1, #prefix) == prefix
    end
    if fits and without ~= '' then
      local paused = tonumber(redis.call('ZSCORE', KEYS[2], id) or 0) > now
      fits = paused == (without == 'open')
    end
    if fits then found[#found + 1] = member end
    if #found == wanted then return {member, table.concat(found, '\255')} end
  end
  looked = looked + #members
  if #members < chunk then return {'', table.concat(found, '\255')} end
  local last = members[#members]
  if looked >= 5000 then return {last, table.concat(found, '\255')} end
  from = '(' .. last
end
