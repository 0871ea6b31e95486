-- Takes keys of a generation away, without stopping Redis for it, as long as the rebuild holds the lease.
--
-- KEYS[1] the lease of rebuilds   KEYS[2] and on: what is to go   ARGV[1] the rebuild
-- Answers 1, or 0 when another rebuild has begun: what looks left behind may be its own.

if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then
  return 0
end
redis.call('UNLINK', unpack(KEYS, 2))
return 1
