-- Writes one batch of documents together with the position that they bring the model to.
--
-- KEYS[1] the pointer to the live generation     KEYS[2] the pointer to the one kept for going back
-- KEYS[3] the epoch   KEYS[4] this generation's stream of changes
-- KEYS[5] its state (a hash with position)       KEYS[6] what of it is frozen (a hash)
-- KEYS[7] and on: its documents of each scope that is written (a hash each); then, if it is the live one and
--                 another is kept, the state, the frozen and the documents of that one in the same order
-- ARGV[1] this generation
-- ARGV[2] and ARGV[3] what the two pointers must be ('' for nothing)
-- ARGV[4] the writer's epoch ('' for none)       ARGV[5] the position the model must be at
-- ARGV[6] the position afterwards                ARGV[7] the change as JSON, or '' for none
-- ARGV[8] how many changes are kept              ARGV[9] the channel for the hint
-- ARGV[10] how many scopes                       ARGV[11] how many streams are told to be frozen or not
-- ARGV[12] and on: pairs of stream, what is wrong with it ('' for nothing)
-- and then: triples of scope (from 1), field, document ('' takes it away)
--
-- Answers {'written', new position}, or, with nothing written, {'fenced', the epoch} when the writer's is older,
-- or {'moved', present position} when the model or a pointer is elsewhere.

local epoch = tonumber(redis.call('GET', KEYS[3]) or '0')
if ARGV[4] ~= '' and tonumber(ARGV[4]) < epoch then
  return {'fenced', epoch}
end

local live, previous = redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or ''
local kept = live == ARGV[1] and previous or ''
local position = tonumber(redis.call('HGET', KEYS[5], 'position') or '0')
if position ~= tonumber(ARGV[5]) or previous == ARGV[1] or live ~= ARGV[2] or previous ~= ARGV[3] then
  return {'moved', position}
end

local scopes, told = tonumber(ARGV[10]), tonumber(ARGV[11])

-- `first` is the key of the state; the frozen and the documents follow it.
local function write(first)
  redis.call('HSET', KEYS[first], 'position', ARGV[6])
  for i = 12, 11 + 2 * told, 2 do
    if ARGV[i + 1] == '' then
      redis.call('HDEL', KEYS[first + 1], ARGV[i])
    else
      redis.call('HSET', KEYS[first + 1], ARGV[i], ARGV[i + 1])
    end
  end
  for i = 12 + 2 * told, #ARGV, 3 do
    local documents = KEYS[first + 1 + tonumber(ARGV[i])]
    if ARGV[i + 2] == '' then
      redis.call('HDEL', documents, ARGV[i + 1])
    else
      redis.call('HSET', documents, ARGV[i + 1], ARGV[i + 2])
    end
  end
end

-- The first write is one that Redis refuses when its memory is full: then nothing is written at all.
if ARGV[7] ~= '' then
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], ARGV[6] .. '-0', 'change', ARGV[7])
end
write(5)
if kept ~= '' then
  local second = 7 + scopes
  if tonumber(redis.call('HGET', KEYS[second], 'position') or '0') == position then
    write(second)
  else
    redis.call('DEL', KEYS[2])
  end
end
if ARGV[4] ~= '' and tonumber(ARGV[4]) > epoch then
  redis.call('SET', KEYS[3], ARGV[4])
end
if ARGV[7] ~= '' then
  redis.call('PUBLISH', ARGV[9], ARGV[6])
end
return {'written', tonumber(ARGV[6])}
