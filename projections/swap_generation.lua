-- Makes a finished generation the live one, if the one it was built to replace is still live.
--
-- KEYS[1] the pointer   ARGV[1] the generation expected there ('' for none)   ARGV[2] the new one
-- ARGV[3] the channel for the hint
-- Answers 1, or 0 when another generation was made live in the meantime.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return 1
