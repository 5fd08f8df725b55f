package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ccproxy-go/ccproxy/system/balancer"
)

// DefaultPrefix begins the keys of a State.
const DefaultPrefix = "ccproxy:balancer:"

// ErrUnavailable means that Redis did not answer, or answered with an error or what is not the state of accounts.
var ErrUnavailable = errors.New("redis is unavailable")

// State is a [balancer.State] in Redis. Each provider has two hashes, in one slot of a cluster; the clock is that of
// Redis. Cooldowns go away by themselves, switches stay. The fields must not be changed after first use; the methods
// are safe for concurrent use and wait for as long as their contexts last: set ContextTimeoutEnabled in the options of
// Client.
type State struct {
	// Client talks to Redis. Required.
	Client goredis.UniversalClient
	// Prefix begins all keys. Empty means DefaultPrefix.
	Prefix string
}

var _ balancer.State = (*State)(nil)

// A cooldown is "END RESORT REASON": milliseconds, 1 where the account is a last resort, and text.

// loadScript gives the accounts that are off, and what is left of cooldowns.
//
//nolint:dupword // Lua
const loadScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cooling = {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
	local ends, rest = string.match(all[i + 1], '^(%d+) (.*)$')
	if ends and tonumber(ends) > now then
		cooling[#cooling + 1] = all[i]
		cooling[#cooling + 1] = string.format('%.0f', tonumber(ends) - now) .. ' ' .. rest
	end
end
return {redis.call('HKEYS', KEYS[1]), cooling}`

// coolScript lets an account cool down unless it does for longer. What is a last resort goes behind what is not.
//
//nolint:dupword // Lua
const coolScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + tonumber(ARGV[2])
local stored, resort = string.match(redis.call('HGET', KEYS[2], ARGV[1]) or '', '^(%d+) (%d) ')
if stored and tonumber(stored) > now then
	local given = string.sub(ARGV[3], 1, 1)
	if resort == '0' and given == '1' or resort == given and tonumber(stored) >= ends then
		return 0
	end
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', ends) .. ' ' .. ARGV[3])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then
	redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return 1`

// switchScript switches an account.
const switchScript = `
if ARGV[2] == '0' then
	redis.call('HSET', KEYS[1], ARGV[1], '1')
else
	redis.call('HDEL', KEYS[1], ARGV[1])
	redis.call('HDEL', KEYS[2], ARGV[1])
end
return 1`

// Load implements [balancer.State].
func (s *State) Load(ctx context.Context, provider string) (map[string]balancer.Record, error) {
	answer, err := s.run(ctx, loadScript, provider)
	if err != nil {
		return nil, err
	}
	parts, ok := answer.([]any)
	if !ok || len(parts) != 2 {
		return nil, fmt.Errorf("%w: unexpected answer", ErrUnavailable)
	}
	off, cooling := texts(parts[0]), texts(parts[1])
	records := make(map[string]balancer.Record, len(off)+len(cooling)/2)
	for _, account := range off {
		records[account] = balancer.Record{Off: true}
	}
	for i := 0; i+1 < len(cooling); i += 2 {
		r := records[cooling[i]]
		if r.Cooldown, ok = cooldownOf(cooling[i+1]); !ok {
			return nil, fmt.Errorf("%w: not a cooldown", ErrUnavailable)
		}
		records[cooling[i]] = r
	}
	return records, nil
}

func texts(answer any) []string {
	list, _ := answer.([]any)
	out := make([]string, len(list))
	for i, v := range list {
		out[i], _ = v.(string)
	}
	return out
}

func cooldownOf(text string) (c balancer.Cooldown, ok bool) {
	span, rest, _ := strings.Cut(text, " ")
	resort, reason, _ := strings.Cut(rest, " ")
	ms, err := strconv.ParseInt(span, 10, 64)
	return balancer.Cooldown{
		For: time.Duration(ms) * time.Millisecond, LastResort: resort == "1", Reason: reason,
	}, err == nil
}

// Cool implements [balancer.State].
func (s *State) Cool(ctx context.Context, provider, account string, c balancer.Cooldown) error {
	if c.For <= 0 {
		return nil
	}
	resort := "0"
	if c.LastResort {
		resort = "1"
	}
	_, err := s.run(ctx, coolScript, provider, account, max(c.For.Milliseconds(), 1), resort+" "+c.Reason)
	return err
}

// Switch implements [balancer.State].
func (s *State) Switch(ctx context.Context, provider, account string, on bool) error {
	to := "0"
	if on {
		to = "1"
	}
	_, err := s.run(ctx, switchScript, provider, account, to)
	return err
}

// run runs a script on the keys of a provider.
func (s *State) run(ctx context.Context, script, provider string, args ...any) (any, error) {
	if s.Client == nil {
		return nil, fmt.Errorf("%w: no client", ErrUnavailable)
	}
	prefix := s.Prefix
	if prefix == "" {
		prefix = DefaultPrefix
	}
	name := prefix + "{" + provider + "}"
	keys := []string{name + ":off", name + ":cooling"}
	answer, err := goredis.NewScript(script).Run(ctx, s.Client, keys, args...).Result()
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("%w: no answer in time", ErrUnavailable)
	default:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}
