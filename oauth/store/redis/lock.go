package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	mrand "math/rand/v2"
	"sync"
	"time"
)

// lockScript takes a lock that nobody holds, renews that of its own holder, or takes over the one that its caller saw
// abandoned. Else it gives what the other holder wrote last. A lock that is gone is nobody else's, so its holder may
// take it again.
const lockScript = `
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[3] and string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then
	return held
end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[4])
return ''`

// unlockScript gives a lock back, unless it is somebody else's by now.
const unlockScript = `
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) == ARGV[1] then
	redis.call('DEL', KEYS[1])
end
return ''`

// forgottenAfter is when Redis drops a lock that nobody has asked for since its holder died.
const forgottenAfter = 24 * time.Hour

// How long a waiting call leaves Redis alone.
const (
	firstWait = 10 * time.Millisecond
	lastWait  = 250 * time.Millisecond
)

// Lock waits until nobody else holds the lock of id, in any process, or until ctx ends. The lock is a lease
// that is renewed until unlock is called, so it may be held for any time. If Redis does not answer, Lock fails with
// [ErrUnavailable] at once: nobody knows then who holds it.
//
// The lock of a process that died goes to whoever has waited for it for Lease and saw no renewal. No clock is
// compared, and time in which Redis is away does not count: a holder that cannot renew its lock for an hour still has
// it when Redis is back.
//
// A process that was suspended, or cut off from a Redis that others reach, for longer than Lease loses its lock
// without knowing. Save keeps what it then stores from replacing newer credentials.
func (s *Store) Lock(ctx context.Context, id string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l := &lock{store: s, key: s.key(id, kindLock), owner: newOwner()}
	var seen, abandoned string
	var unchanged time.Duration // that seen was looked at without another call in between
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		other, err := l.take(ctx, abandoned)
		if err != nil {
			// It may have been taken, and the answer lost.
			go l.release() //nolint:gosec // the caller's context may have ended; it has a timeout
			return nil, s.place("lock", id, err)
		}
		if other == "" {
			return l.keep(), nil
		}
		if other != seen {
			seen, abandoned, unchanged = other, "", 0
		}
		pause := min(wait/2+mrand.N(wait/2), s.lease()) //nolint:gosec // it only spreads those who wait
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		// What the commands take is left out: Redis may have been away for as long.
		if unchanged += pause; unchanged >= s.lease() {
			abandoned = seen
		}
	}
}

func newOwner() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:]) + ":"
}

func (s *Store) lease() time.Duration {
	if s.Lease <= 0 {
		return DefaultLease
	}
	return max(s.Lease, time.Millisecond)
}

// lock is one holder's lock, or attempt to get it. Its value in Redis is the owner and the number of its renewals.
type lock struct {
	store      *Store
	key, owner string
	renewals   int
}

// take takes the lock or renews it. It gives the value of another holder, unless that is the abandoned one.
func (l *lock) take(ctx context.Context, abandoned string) (other string, err error) {
	l.renewals++
	err = l.store.do(ctx, func(ctx context.Context) (err error) {
		other, err = l.store.run(ctx, lockScript, []string{l.key},
			l.owner, l.renewals, abandoned, forgottenAfter.Milliseconds()).Text()
		return err
	})
	return other, err
}

// release gives the lock back if it is still its owner's. If Redis does not answer, others will find it abandoned.
func (l *lock) release() {
	_ = l.store.do(context.Background(), func(ctx context.Context) error {
		return l.store.run(ctx, unlockScript, []string{l.key}, l.owner).Err()
	})
}

// keep renews the lock until unlock is called, or somebody else has it.
func (l *lock) keep() (unlock func()) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(max(l.store.lease()/3, time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			if other, err := l.take(ctx, ""); err == nil && other != "" {
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		stop()
		<-done // a renewal after the release would take the lock again
		l.release()
	})
}
