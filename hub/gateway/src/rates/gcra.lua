-- Takes up to so many permits of one participant by the generic cell rate algorithm, as hubs do for themselves.
-- KEYS[1]: where the participant's theoretical arrival time stands, in microseconds of Redis's own clock, which is
-- one clock for all hubs. ARGV: permits a second, burst, how many are wanted.
-- Gives how many are granted, and where it is none, after how many microseconds to ask again.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local apart = 1000000 / ARGV[1]
local depth = ARGV[2] * apart
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
-- Nobody owes more than the whole burst: a clock that went back is forgiven.
arrival = math.min(math.max(arrival, now), now + depth)
-- Arrivals are kept to a thousandth of a microsecond; what is short of a permit by less than that is whole.
local granted = math.min(math.floor((now + depth - arrival) / apart + 0.001), tonumber(ARGV[3]))
if granted < 1 then
    return {0, math.ceil(arrival + apart - now - depth)}
end
arrival = arrival + granted * apart
redis.call('SET', KEYS[1], string.format('%.3f', arrival), 'PX', math.ceil((arrival - now) / 1000) + 1)
return {granted, 0}
