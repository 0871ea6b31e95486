-- Notes that the live generation is at the head of the log now, by the clock of Redis.
--
-- KEYS[1] the pointer to the live generation   KEYS[2] the epoch   KEYS[3] this generation's state
-- KEYS[4] the note: milliseconds since 1970
-- ARGV[1] this generation   ARGV[2] the writer's epoch   ARGV[3] the position that it found to be the head
--
-- Answers 1, or 0 with nothing noted when the model is elsewhere, or a newer writer is at work.

if redis.call('GET', KEYS[1]) ~= ARGV[1] or tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[2]) then
  return 0
end
if tonumber(redis.call('HGET', KEYS[3], 'position') or '0') ~= tonumber(ARGV[3]) then
  return 0
end
local now = redis.call('TIME')
redis.call('SET', KEYS[4], now[1] * 1000 + math.floor(now[2] / 1000))
return 1
