-- Whether a score says what is wanted: '' anything, '1' that it is above a bound, '0' that it is not.
local function says(wanted, set, who, bound)
  if wanted == '' then return true end
  local above = (tonumber(redis.call('ZSCORE', set, who) or 0) or 0) > tonumber(bound)
  return above == (wanted == '1')
end
