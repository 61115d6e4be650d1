-- Where a shard's trail ends at this moment, with its ledger and some registers. KEYS: 1 shard, 2 registers, 3 trail.
-- ARGV: accounts. Answers {last stream id, ledger, register of each account}.
local found = {'0', redis.call('HGET', KEYS[1], 'ledger') or '0'}
local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if newest then found[1] = newest[1] end
for i = 1, #ARGV do found[2 + i] = redis.call('HGET', KEYS[2], ARGV[i]) end
return found
