-- Takes a lease, goes on holding it, or tells who does.
--
-- KEYS[1] the lease (a hash: holder, beat, number)   KEYS[2] the counter that each taking raises
-- ARGV[1] who asks   ARGV[2] what a holder taken for dead was last seen as ('' for none)
--
-- Answers {1, number} to whoever holds it now, {0, number, what the holder is seen as} to anybody else. What
-- it is seen as changes with every beat, so that only a holder that stood still can lose it.

local holder, beat, number = unpack(redis.call('HMGET', KEYS[1], 'holder', 'beat', 'number'))
if holder == ARGV[1] then
  redis.call('HINCRBY', KEYS[1], 'beat', 1)
  return {1, tonumber(number)}
end
if holder and holder .. ' ' .. beat ~= ARGV[2] then
  return {0, tonumber(number), holder .. ' ' .. beat}
end
number = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'beat', 0, 'number', number)
return {1, number}
