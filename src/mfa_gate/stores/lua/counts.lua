-- How many are in each part of a list. KEYS: for each part 1 the names, 2 until when, 3 from when their own time counts.
-- ARGV: now, after; then for each part whether the second set says more than now, whether the third says more than after.
local found = {}
for i = 1, #KEYS / 3 do
  local names, ends, begins = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local still, in_time = ARGV[2 * i + 1], ARGV[2 * i + 2]
  local function between(set, wanted, bound)
    if wanted == '1' then return set, '(' .. bound, '+inf' end
    return set, '-inf', bound
  end
  if still == '' and in_time == '' then found[i] = redis.call('ZCARD', names)
  elseif in_time == '' then found[i] = redis.call('ZCOUNT', between(ends, still, ARGV[1]))
  elseif still == '' then found[i] = redis.call('ZCOUNT', between(begins, in_time, ARGV[2]))
  else
    -- Those whose exemption is over and who were not written since.
    found[i] = 0
    for _, who in ipairs(redis.call('ZRANGEBYSCORE', between(ends, still, ARGV[1]))) do
      if says(in_time, begins, who, ARGV[2]) then found[i] = found[i] + 1 end
    end
  end
end
return found
