-- How many stand so in each group of a shard. KEYS: 1 the sizes of groups. Answers fields and sizes in turn, joined by
-- 0xFF: a client takes far longer to read thousands of words than one.
return table.concat(redis.call('HGETALL', KEYS[1]), '\255')
