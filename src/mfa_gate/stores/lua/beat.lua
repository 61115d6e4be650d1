-- Tell a listener that the feed is alive, and what the policy's version is. KEYS: 1 shard 0.
-- ARGV: 1 the listener's channel, 2 which beat. It writes nothing, but a replica must refuse it: the script is one
-- that may write.
local stand = redis.call('HGET', KEYS[1], 'stand') or ''
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ':' .. stand)
return 1
