package redis

import (
	"context"
	"maps"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// renewer renews the leases of requests that run. It is one goroutine for all of them.
type renewer struct{ stop chan struct{} }

// keep counts a request as running until drop.
func (l *Limiter) keep(r running) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		l.running = make(map[running]struct{})
	}
	l.running[r] = struct{}{}
	if l.renewer == nil {
		l.renewer = &renewer{stop: make(chan struct{})}
		go l.renew(l.renewer)
	}
}

// drop lets the goroutine end with the last request.
func (l *Limiter) drop(r running) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, r)
	if len(l.running) == 0 && l.renewer != nil {
		close(l.renewer.stop)
		l.renewer = nil
	}
}

func (l *Limiter) renew(own *renewer) {
	ticker := time.NewTicker(l.lease() / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.renewAll(own)
		case <-own.stop:
			return
		}
	}
}

// renewAll renews the leases. Without an answer the next tick tries again, before they end.
func (l *Limiter) renewAll(own *renewer) {
	l.mu.Lock()
	var all []running
	if l.renewer == own {
		all = slices.Collect(maps.Keys(l.running))
	}
	l.mu.Unlock()
	const batch = 500
	for part := range slices.Chunk(all, batch) {
		_ = l.do(context.Background(), func(ctx context.Context) error {
			_, err := l.Client.Pipelined(ctx, func(p goredis.Pipeliner) error {
				for _, r := range part {
					goredis.NewScript(renewScript).Eval(ctx, p, l.keys(r.key)[:1], r.id, l.lease().Microseconds())
				}
				return nil
			})
			return err
		})
	}
}

// renewScript renews the lease of a request, unless it has ended meanwhile.
const renewScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
	redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
	redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] / 1000) + 1000)
end
return ''`
