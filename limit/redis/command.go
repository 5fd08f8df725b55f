package redis

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func (l *Limiter) lease() time.Duration {
	if l.Lease <= 0 {
		return DefaultLease
	}
	return max(l.Lease, time.Second)
}

func (l *Limiter) timeout() time.Duration {
	if l.Timeout <= 0 {
		return DefaultTimeout
	}
	return l.Timeout
}

func (l *Limiter) prefix() string {
	if l.Prefix == "" {
		return DefaultPrefix
	}
	return l.Prefix
}

// keys are the two of a caller. The braces put them into one slot of a cluster; what is in between has none itself.
func (l *Limiter) keys(key string) []string {
	name := l.prefix() + "{" + base64.RawURLEncoding.EncodeToString([]byte(key)) + "}"
	return []string{name + ":running", name + ":budgets"}
}

// run runs a script on the keys of a caller.
func (l *Limiter) run(ctx context.Context, script, key string, args ...any) (answer any, err error) {
	return answer, l.do(ctx, func(ctx context.Context) error {
		answer, err = goredis.NewScript(script).Run(ctx, l.Client, l.keys(key), args...).Result()
		return err
	})
}

// do runs a command within the timeout, and notes when Redis is away.
func (l *Limiter) do(ctx context.Context, command func(context.Context) error) error {
	if l.Client == nil {
		return fmt.Errorf("%w: no client", ErrUnavailable)
	}
	limited, cancel := context.WithTimeout(ctx, l.timeout())
	defer cancel()
	err := command(limited)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if !refused(err) {
		l.pause()
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		// A timeout of the command's own must not look like one of the caller's.
		return fmt.Errorf("%w: no answer in time", ErrUnavailable)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// refused tells of an answer that Redis will give again: somebody else has put something into a key of a caller. That
// is no reason to leave the others alone.
func refused(err error) bool {
	reply, ok := errors.AsType[goredis.Error](err)
	return ok && strings.Contains(reply.Error(), "WRONGTYPE") // older servers have words before it
}

func (l *Limiter) pause() {
	span := l.Pause
	if span <= 0 {
		span = DefaultPause
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Now().Add(span)
}

func (l *Limiter) paused() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return fmt.Errorf("%w: it did not answer a moment ago", ErrUnavailable)
	}
	return nil
}
