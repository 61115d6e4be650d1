-- Put one account into the lists, if its record is still the one that they were made from. KEYS: 1 accounts, then sorted
-- sets. ARGV: 1 whose, 2 the record, then for each set a score and a member. Answers 1, or 0 if the record is another.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
for i = 2, #KEYS do redis.call('ZADD', KEYS[i], ARGV[2 * i - 1], ARGV[2 * i]) end
return 1
