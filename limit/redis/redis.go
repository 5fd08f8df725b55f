// Package redis holds the callers of several proxies to common limits, with counts in Redis. It is a module of its own.
//
//	limiter, err := redis.Open("rediss://user:password@cache.example.org:6379/0")
//	…
//	defer limiter.Close()
//	proxy, err := registry.Build(settings, ccproxy.WithLimiter(limiter))
//
// Each request costs one script when it begins and one when it ends. The clock is that of Redis, so those of the
// proxies need not agree. What is stored is names of callers and numbers, no secrets, and goes away by itself.
package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ccproxy-go/ccproxy/limit"
)

// The defaults of a Limiter.
const (
	DefaultPrefix  = "ccproxy:limit:"
	DefaultLease   = time.Minute
	DefaultTimeout = 500 * time.Millisecond
	DefaultPause   = time.Second
)

// ErrUnavailable means that Redis did not answer, or answered with an error of its own.
var ErrUnavailable = errors.New("redis is unavailable")

// ErrAddress means that an address is not the URL of a Redis server.
var ErrAddress = errors.New("not the URL of a Redis server")

// Limiter is a [limit.Limiter] for all processes that use the same Redis and the same Prefix. On a cluster the keys of
// one caller are in one slot. While none of its requests runs it has no goroutine.
//
// No command waits for Redis longer than Timeout, as long as Client heeds the deadlines of contexts: set
// ContextTimeoutEnabled in its options, as [Open] does.
//
// The fields must not be changed after first use. The methods are safe for concurrent use.
type Limiter struct {
	// Client talks to Redis. Required.
	Client goredis.UniversalClient
	// Prefix begins all keys. Empty means DefaultPrefix.
	Prefix string
	// Lease is how long a request counts for concurrency whose process has died. It is renewed while requests run.
	// Zero means DefaultLease; less than a second means a second.
	Lease time.Duration
	// Timeout bounds each command. Zero means DefaultTimeout.
	Timeout time.Duration
	// Pause is how long Redis is left alone after it did not answer: Begin fails at once meanwhile, so that not every
	// request waits for a server that is away. Zero means DefaultPause.
	Pause time.Duration

	closer func() error
	asking sync.WaitGroup // for Begin, and to take back what nobody waits for any more

	settling sync.Mutex // held while Redis is told of ends that it has missed
	sends    atomic.Uint64

	mu      sync.Mutex
	until   time.Time // the end of the pause
	running map[running]struct{}
	renewer *renewer // nil while nothing runs
	missed  []end    // that Redis could not be told of
	telling bool     // some of them are on their way
}

// running is a request that counts for concurrency.
type running struct{ key, id string }

var _ limit.Limiter = (*Limiter)(nil)

// Open makes a Limiter with a client of its own, to be closed with Close. It does not talk to Redis yet. The address is
// as for goredis.ParseURL: redis://, rediss:// or unix://. The error is [ErrAddress] and tells nothing of it, since
// it may hold a password.
func Open(address string) (*Limiter, error) {
	options, err := goredis.ParseURL(address)
	if err != nil {
		return nil, ErrAddress
	}
	options.ContextTimeoutEnabled = true
	client := goredis.NewClient(options)
	return &Limiter{Client: client, closer: sync.OnceValue(client.Close)}, nil
}

// Close closes the client that Open made. It leaves one alone that the caller brought. Before, it waits until the
// requests are given back whose callers have left during Begin, and tells Redis of ends that it has missed, no longer
// than Redis may take to answer. No call of Begin may be under way.
func (l *Limiter) Close() error {
	l.asking.Wait()
	l.settling.Lock()
	_ = l.tellMissed(context.Background()) // also while Redis is left alone; without success leases end by themselves
	l.settling.Unlock()
	if l.closer == nil {
		return nil
	}
	return l.closer()
}

// beginScript decides on a request as limit.Decide does. All times are microseconds. The arguments are the id, the
// most requests at a time, what a request and a token cost of a minute's budget (0 for no budget) and the lease.
// A client that has lost the answer sends the command again: the request that it has let in must not be in its own way,
// nor count twice. The latest of a caller's is known by its id, or by its lease.
//
//nolint:dupword // Lua
const beginScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local most, request, token, lease = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local window = 60000000
local refused, wait, requests, tokens = '', 0, 0, 0
local function debt(field)
	return math.max((tonumber(redis.call('HGET', KEYS[2], field) or '0') or 0) - now, 0)
end
local again = request > 0 and redis.call('HGET', KEYS[2], 'begun') == ARGV[1]
if most > 0 then
	redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
	if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
		again = true
	elseif redis.call('ZCARD', KEYS[1]) >= most then
		refused = 'concurrency'
	end
end
if again then
	if request > 0 then requests = debt('requests') end
	if token > 0 then tokens = debt('tokens') end
	return {'', 0, math.ceil(requests), math.ceil(tokens)}
end
if request > 0 then
	requests = debt('requests')
	if requests + request > window then
		refused, wait = 'requests', requests + request - window
	end
end
if token > 0 then
	tokens = debt('tokens')
	if tokens + token - window > wait then
		refused, wait = 'tokens', tokens + token - window
	end
end
if refused == '' then
	if most > 0 then
		redis.call('ZADD', KEYS[1], now + lease, ARGV[1])
		redis.call('PEXPIRE', KEYS[1], math.ceil(lease / 1000) + 1000)
	end
	if request > 0 then
		requests = requests + request
		redis.call('HSET', KEYS[2], 'requests', string.format('%.0f', now + requests), 'begun', ARGV[1])
		redis.call('PEXPIRE', KEYS[2], math.ceil(math.max(requests, debt('tokens')) / 1000) + 1000)
	end
end
return {refused, math.ceil(wait), math.ceil(requests), math.ceil(tokens)}`

// Begin implements [limit.Limiter]. Besides the error of ctx it returns [ErrUnavailable]. A request that Redis has let
// in when it returns an error is given back, as soon as Redis answers.
func (l *Limiter) Begin(ctx context.Context, r limit.Request) (limit.Decision, error) {
	if err := ctx.Err(); err != nil {
		return limit.Decision{}, err
	}
	if r.Policy.IsZero() {
		return limit.Decision{}, nil
	}
	if err := l.paused(); err != nil {
		return limit.Decision{}, err
	}
	answers := make(chan answer)
	l.asking.Go(func() { l.ask(ctx, r, answers) })
	select {
	case a := <-answers:
		if a.err == nil && a.Refused == "" && r.Policy.Concurrency > 0 {
			l.keep(running{r.Key, r.ID})
		}
		return a.Decision, a.err
	case <-ctx.Done():
		return limit.Decision{}, ctx.Err()
	}
}

// cost is what one costs of an amount per minute, in microseconds. Fractions count.
func cost(perMinute int64) float64 {
	if perMinute <= 0 {
		return 0
	}
	return float64(limit.Window/time.Microsecond) / float64(perMinute)
}

func decision(answer any, p limit.Policy) (limit.Decision, error) {
	parts, ok := answer.([]any)
	if !ok || len(parts) != 4 {
		return limit.Decision{}, fmt.Errorf("%w: unexpected answer", ErrUnavailable)
	}
	var spans [3]time.Duration
	for i, part := range parts[1:] {
		n, ok := part.(int64)
		if !ok {
			return limit.Decision{}, fmt.Errorf("%w: unexpected answer", ErrUnavailable)
		}
		spans[i] = time.Duration(n) * time.Microsecond
	}
	refused, _ := parts[0].(string)
	return limit.Decision{
		Refused: limit.Kind(refused), RetryAfter: spans[0],
		Requests: limit.Meter(p.RequestsPerMinute).Budget(spans[1]),
		Tokens:   limit.Meter(p.TokensPerMinute).Budget(spans[2]),
	}, nil
}
