package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ccproxy-go/ccproxy/limit"
)

// answer is what Redis says of a request.
type answer struct {
	limit.Decision

	err error
}

// ask asks Redis for a request. It goes on when ctx ends: what Redis has been sent it may execute at any time, and only
// its answer tells whether there is something to take back.
func (l *Limiter) ask(ctx context.Context, r limit.Request, answers chan<- answer) {
	detached := context.WithoutCancel(ctx)
	if err := l.settle(detached); err != nil {
		select {
		case answers <- answer{err: err}:
		case <-ctx.Done():
		}
		return
	}
	a := l.decide(detached, r)
	select {
	case answers <- a:
		if a.err != nil {
			l.takeBack(detached, r, false) // without an answer it may count all the same
		}
	case <-ctx.Done(): // so that nobody waits for the answer
		if a.Refused == "" {
			l.takeBack(detached, r, a.err == nil)
		}
	}
}

func (l *Limiter) decide(ctx context.Context, r limit.Request) (a answer) {
	raw, err := l.run(ctx, beginScript, r.Key, r.ID, max(r.Policy.Concurrency, 0),
		cost(r.Policy.RequestsPerMinute), cost(r.Policy.TokensPerMinute), l.lease().Microseconds())
	if err != nil {
		return answer{err: err}
	}
	a.Decision, a.err = decision(raw, r.Policy)
	return a
}

// undoScript takes back what beginScript has counted. The arguments are the id, what a request costs, and 1 if it has
// counted for certain: else a lease tells.
//
//nolint:dupword // Lua
const undoScript = `
local counted = redis.call('ZREM', KEYS[1], ARGV[1]) == 1 or ARGV[3] == '1'
local cost = tonumber(ARGV[2])
if counted and cost > 0 then
	local ends = (tonumber(redis.call('HGET', KEYS[2], 'requests') or '0') or 0) - cost
	if ends > 0 then
		redis.call('HSET', KEYS[2], 'requests', string.format('%.0f', ends))
		redis.call('HDEL', KEYS[2], 'begun')
	end
end
return ''`

// takeBack takes a request back that has not begun after all. It is tried once, also while Redis is left alone; without
// success the lease ends by itself.
func (l *Limiter) takeBack(ctx context.Context, r limit.Request, counted bool) {
	if l.Client == nil || r.Policy.Concurrency <= 0 && (!counted || r.Policy.RequestsPerMinute <= 0) {
		return
	}
	flag := 0
	if counted {
		flag = 1
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout())
	defer cancel()
	script := goredis.NewScript(undoScript)
	_ = script.Run(ctx, l.Client, l.keys(r.Key), r.ID, cost(r.Policy.RequestsPerMinute), flag).Err()
}
