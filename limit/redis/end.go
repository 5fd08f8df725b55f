package redis

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/limit"
)

// maxMissed bounds the ends that are kept while Redis is away. The oldest are given up first.
const maxMissed = 4096

// end is what Redis is to be told of a request that has ended.
type end struct {
	running

	debt time.Duration // that its tokens make
	at   time.Time
	// sent numbers what Redis has been sent together without an answer. It may have been heard, so it is sent again as
	// it was. Zero is for what has not been sent.
	sent uint64
}

// endScript ends requests of a caller. The arguments are how far ahead the budget of tokens may be spent, and for each
// request its id, the debt that its tokens make, and how long ago it ended. A client that has lost the answer sends the
// command again: the last id of a command tells that its debts are made, among those of the caller's latest sixteen.
//
//nolint:dupword // Lua
const endScript = `
local most = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ends = tonumber(redis.call('HGET', KEYS[2], 'tokens') or '0') or 0
local indebted = false
for i = 2, #ARGV, 3 do
	redis.call('ZREM', KEYS[1], ARGV[i])
	local cost = tonumber(ARGV[i + 1])
	if cost > 0 then
		ends = math.min(math.max(ends, now - tonumber(ARGV[i + 2])) + cost, now + most)
		indebted = true
	end
end
local own = ARGV[#ARGV - 2] .. '\n'
local ended = redis.call('HGET', KEYS[2], 'ended') or ''
if indebted and ends > now and not string.find('\n' .. ended, '\n' .. own, 1, true) then
	local _, n = string.gsub(ended, '\n', '')
	if n >= 16 then
		ended = string.gsub(ended, '^[^\n]*\n', '')
	end
	redis.call('HSET', KEYS[2], 'tokens', string.format('%.0f', ends), 'ended', ended .. own)
	if redis.call('PTTL', KEYS[2]) < (ends - now) / 1000 + 1000 then
		redis.call('PEXPIRE', KEYS[2], math.ceil((ends - now) / 1000) + 1000)
	end
end
return ''`

// End implements [limit.Limiter]. Where the error is [ErrUnavailable], Redis is told before this Limiter asks it for
// another request, or is closed; until then the request counts, though no longer than its lease lasts. Of ends that
// Redis misses, the latest 4096 are kept.
func (l *Limiter) End(ctx context.Context, r limit.Request, tokens int64) error {
	e := end{running: running{r.Key, r.ID}, debt: limit.Meter(r.Policy.TokensPerMinute).Cost(tokens), at: time.Now()}
	l.drop(e.running)
	if e.debt == 0 && r.Policy.Concurrency <= 0 {
		return nil
	}
	if err := l.paused(); err != nil {
		l.miss(e)
		return err
	}
	return l.tell(ctx, []end{e})
}

// tell tells Redis of ends of one caller, and keeps them if that fails.
func (l *Limiter) tell(ctx context.Context, ends []end) error {
	args := []any{(limit.Window + limit.MaxDebt).Microseconds()}
	for _, e := range ends {
		args = append(args, e.id, float64(e.debt)/float64(time.Microsecond), time.Since(e.at).Microseconds())
	}
	_, err := l.run(ctx, endScript, ends[0].key, args...)
	if err == nil || refused(err) {
		return err
	}
	if ends[0].sent == 0 {
		number := l.sends.Add(1)
		for i := range ends {
			ends[i].sent = number
		}
	}
	l.miss(ends...)
	return err
}

// miss keeps ends for later.
func (l *Limiter) miss(ends ...end) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missed = append(l.missed, ends...)
	if over := len(l.missed) - maxMissed; over > 0 {
		slices.SortStableFunc(l.missed, func(a, b end) int { return a.at.Compare(b.at) })
		l.missed = slices.Delete(l.missed, 0, over)
	}
}

// settle tells Redis what it has missed. Only one is at it. The others wait, and if that fails do not try again.
func (l *Limiter) settle(ctx context.Context) error {
	l.mu.Lock()
	nothing := len(l.missed) == 0 && !l.telling
	l.mu.Unlock()
	if nothing {
		return nil
	}
	l.settling.Lock()
	defer l.settling.Unlock()
	if err := l.paused(); err != nil {
		return err
	}
	return l.tellMissed(ctx)
}

// tellMissed tells Redis what it has missed, caller by caller. The caller holds settling.
func (l *Limiter) tellMissed(ctx context.Context) error {
	missed := l.take()
	defer l.took()
	for len(missed) > 0 {
		n := 1
		for n < len(missed) && missed[n].key == missed[0].key && missed[n].sent == missed[0].sent {
			n++
		}
		if err := l.tell(ctx, missed[:n]); err != nil && !refused(err) {
			l.miss(missed[n:]...)
			return err
		}
		missed = missed[n:]
	}
	return nil
}

// take takes what was missed, ordered by what is told together.
func (l *Limiter) take() []end {
	l.mu.Lock()
	defer l.mu.Unlock()
	missed := l.missed
	l.missed, l.telling = nil, true
	slices.SortStableFunc(missed, func(a, b end) int {
		// What has not been sent comes last, before it lets Redis forget what it has heard.
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.sent-1, b.sent-1), a.at.Compare(b.at))
	})
	return missed
}

func (l *Limiter) took() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.telling = false
}
