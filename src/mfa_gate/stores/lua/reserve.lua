-- Begin to make a store, where there is none. KEYS: those that a store has, then the reservation.
-- ARGV: 1 who makes it. Answers 1, or 0 if there is something already, or somebody else is at it.
for i = 1, #KEYS - 1 do
  if redis.call('EXISTS', KEYS[i]) == 1 then return 0 end
end
return redis.call('SET', KEYS[#KEYS], ARGV[1], 'NX', 'EX', 30) and 1 or 0
