-- Writes documents of a generation that nobody reads yet, as long as its rebuild holds the lease.
--
-- KEYS[1] the lease of the rebuild   KEYS[2] the documents of one scope (a hash)
-- ARGV[1] the rebuild                ARGV[2] and on: field, document, field, document ...
-- Answers 1, or 0 when another rebuild has begun and nothing was written.

if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return 1
