-- What `read` says of each of some accounts of a shard.
-- KEYS: those of state.lua for the first account, then the fourth and fifth of state.lua for each further one.
-- ARGV: the accounts.
local found = {}
for i = 1, #ARGV do
  local at = i == 1 and 4 or 2 + 2 * i
  found[i] = state(ARGV[i], 'times', '', KEYS[at], KEYS[at + 1])
end
return found
