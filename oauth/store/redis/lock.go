package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	mrand "math/rand/v2"
	"sync"
	"time"
)

// lockScript takes a lock, or finds that it was taken by the same call before, whose answer was lost. A lock
// that is gone, as after a restart of Redis, is nobody else's, so its holder may take it again.
const lockScript = `
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

// unlockScript gives a lock back, unless it is somebody else's by now.
const unlockScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
	redis.call('DEL', KEYS[1])
	return 1
end
return 0`

// How long a waiting call leaves Redis alone.
const (
	firstWait = 10 * time.Millisecond
	lastWait  = 250 * time.Millisecond
)

// Lock waits until nobody else holds the lock of id, in any process, or until ctx ends. The lock is a lease
// that is renewed until unlock is called, so it may be held for any time, and that of a process which died
// ends by itself after Lease. If Redis does not answer, Lock fails with [ErrUnavailable] at once: nobody
// knows then who holds it.
//
// A process that was suspended for longer than Lease loses its lock without knowing. Save keeps what it then
// stores from replacing newer credentials.
func (s *Store) Lock(ctx context.Context, id string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	owner, key := newOwner(), s.key(id, kindLock)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		held, err := s.take(ctx, key, owner)
		if err != nil {
			// It may have been taken, and the answer lost.
			go s.release(key, owner) //nolint:gosec // the caller's context may have ended; it has a timeout
			return nil, s.place("lock", id, err)
		}
		if held {
			return s.keep(key, owner), nil
		}
		timer := time.NewTimer(wait/2 + mrand.N(wait/2)) //nolint:gosec // it only spreads those who wait
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

func newOwner() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}

func (s *Store) lease() time.Duration {
	if s.Lease <= 0 {
		return DefaultLease
	}
	return max(s.Lease, time.Millisecond)
}

// take takes the lock for owner, or renews it.
func (s *Store) take(ctx context.Context, key, owner string) (held bool, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		held, err = s.run(ctx, lockScript, key, owner, s.lease().Milliseconds())
		return err
	})
	return held, err
}

// release gives the lock back if owner has it. If Redis does not answer, the lease ends by itself.
func (s *Store) release(key, owner string) {
	_ = s.do(context.Background(), func(ctx context.Context) error {
		_, err := s.run(ctx, unlockScript, key, owner)
		return err
	})
}

// keep renews the lock until unlock is called, or somebody else has it.
func (s *Store) keep(key, owner string) (unlock func()) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(max(s.lease()/3, time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			if held, err := s.take(ctx, key, owner); err == nil && !held {
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		stop()
		<-done // a renewal after the release would take the lock again
		s.release(key, owner)
	})
}
