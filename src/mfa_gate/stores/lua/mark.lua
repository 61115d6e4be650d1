-- Note which checkpoint was written last, unless the store has been emptied meanwhile. KEYS: 1 shard. ARGV: number.
if redis.call('HEXISTS', KEYS[1], 'store') == 1 then redis.call('HSET', KEYS[1], 'checkpoint', ARGV[1]) end
