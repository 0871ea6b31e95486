-- Writes one batch of documents together with the position that they bring the model to.
--
-- KEYS[1] the generation's state (a hash with position)   KEYS[2] its stream of changes
-- KEYS[3] and on: the documents of each scope that is written (a hash each)
-- ARGV[1] the position the model must be at               ARGV[2] the position afterwards
-- ARGV[3] the change as JSON, or '' for none              ARGV[4] how many changes are kept
-- ARGV[5] the channel for the hint
-- ARGV[6] and on: triples of scope (1 for KEYS[3]), field, document ('' takes it away)
--
-- Answers {1, new position}, or {0, present position} when the model is elsewhere and nothing was written.

local position = tonumber(redis.call('HGET', KEYS[1], 'position') or '0')
if position ~= tonumber(ARGV[1]) then
  return {0, position}
end

for i = 6, #ARGV, 3 do
  local documents = KEYS[2 + tonumber(ARGV[i])]
  if ARGV[i + 2] == '' then
    redis.call('HDEL', documents, ARGV[i + 1])
  else
    redis.call('HSET', documents, ARGV[i + 1], ARGV[i + 2])
  end
end

redis.call('HSET', KEYS[1], 'position', ARGV[2])
if ARGV[3] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], ARGV[2] .. '-0', 'change', ARGV[3])
  redis.call('PUBLISH', ARGV[5], ARGV[2])
end
return {1, tonumber(ARGV[2])}
