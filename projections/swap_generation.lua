-- Makes another generation the live one, in one step.
--
-- KEYS[1] the pointer to the live one   KEYS[2] the pointer to the one kept for going back
-- KEYS[3] the lease of the rebuild      KEYS[4] the new one's state    KEYS[5] the old one's state
-- KEYS[6] when the live one was last known to be at the head of the log
-- ARGV[1] the generation expected to be live ('' for none)             ARGV[2] the new one
-- ARGV[3] the rebuild that has to hold the lease ('' for none)         ARGV[4] '1' keeps the old one, in step
-- ARGV[5] the channel for the hint
--
-- Answers 'swapped'; 'another' when the expected one is not live, or the lease is not held, any more; 'apart'
-- when the old one is to be kept and the two are not at the same position. In the last two cases nothing changed.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 'another'
end
if ARGV[3] ~= '' and redis.call('HGET', KEYS[3], 'holder') ~= ARGV[3] then
  return 'another'
end
if ARGV[4] == '1' and redis.call('HGET', KEYS[4], 'position') ~= redis.call('HGET', KEYS[5], 'position') then
  return 'apart'
end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[4] == '1' then
  redis.call('SET', KEYS[2], ARGV[1])
else
  redis.call('DEL', KEYS[2])
end
if ARGV[3] ~= '' then -- a rebuild reads to the head, other than who only goes back
  local now = redis.call('TIME')
  redis.call('SET', KEYS[6], now[1] * 1000 + math.floor(now[2] / 1000))
end
redis.call('PUBLISH', ARGV[5], ARGV[2])
return 'swapped'
