-- KEYS[1] the lease   ARGV[1] who gives it back; nothing happens when somebody else has it by now

if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
