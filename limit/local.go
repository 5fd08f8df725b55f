package limit

import (
	"context"
	"sync"
	"time"
)

// DefaultMaxKeys is how many keys a [Local] counts for at a time, unless it says otherwise.
const DefaultMaxKeys = 100_000

// Local is a [Limiter] that keeps its counts in memory. The zero value is ready. It runs no goroutine, and forgets a
// key whose budgets are whole again.
type Local struct {
	// MaxKeys bounds the keys that have a request running or a budget that is not whole; for others Begin returns
	// [ErrFull]. Zero means DefaultMaxKeys. It must not be changed after first use.
	MaxKeys int

	mu      sync.Mutex
	keys    map[string]*taken
	sweepAt int // how many keys there are when those are looked for that can be forgotten
	swept   time.Time
}

var _ Limiter = (*Local)(nil)

// taken is what a key has taken.
type taken struct {
	running          int
	requests, tokens time.Time // when the budgets are whole again
}

func (t *taken) idle(now time.Time) bool {
	return t.running == 0 && !t.requests.After(now) && !t.tokens.After(now)
}

// Begin implements [Limiter]. The error is [ErrFull] or that of ctx.
func (l *Local) Begin(ctx context.Context, r Request) (Decision, error) {
	if err := ctx.Err(); err != nil {
		return Decision{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	t, err := l.of(r.Key, now)
	if err != nil {
		return Decision{}, err
	}
	requests, tokens := max(t.requests.Sub(now), 0), max(t.tokens.Sub(now), 0)
	d := Decide(r.Policy, t.running, requests, tokens)
	if d.Refused == "" {
		t.running++
		t.requests = now.Add(Meter(r.Policy.RequestsPerMinute).Spend(requests, 1))
	}
	return d, nil
}

// End implements [Limiter]. It returns no error.
func (l *Local) End(_ context.Context, r Request, tokens int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.keys[r.Key]
	if t == nil || t.running == 0 {
		return nil // nothing that Begin has let in
	}
	now := time.Now()
	t.running--
	t.tokens = now.Add(Meter(r.Policy.TokensPerMinute).Spend(max(t.tokens.Sub(now), 0), tokens))
	if t.idle(now) {
		delete(l.keys, r.Key)
	}
	return nil
}

// minSweep is how many keys are kept without a look at which of them can be forgotten.
const minSweep = 1024

// of finds what a key has taken. It is called with mu held.
func (l *Local) of(key string, now time.Time) (*taken, error) {
	if t := l.keys[key]; t != nil {
		return t, nil
	}
	most := l.MaxKeys
	if most <= 0 {
		most = DefaultMaxKeys
	}
	// A sweep looks at all keys: it is worth it when there are twice as many as the last one has left, or when there
	// is no more room, though then not for each key that comes.
	full := len(l.keys) >= most
	if full && now.Sub(l.swept) >= time.Second || len(l.keys) >= max(l.sweepAt, minSweep) {
		for k, t := range l.keys {
			if t.idle(now) {
				delete(l.keys, k)
			}
		}
		l.sweepAt, l.swept = 2*len(l.keys), now
	}
	if len(l.keys) >= most {
		return nil, ErrFull
	}
	if l.keys == nil {
		l.keys = make(map[string]*taken)
	}
	t := new(taken)
	l.keys[key] = t
	return t, nil
}
