package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/limit/redis"
)

// begins begins requests of one caller.
func begins(t *testing.T, l *redis.Limiter, caller string, n int) (all []limit.Request) {
	t.Helper()
	for i := range n {
		r := limit.Request{Key: caller, ID: fmt.Sprint(caller, i), Policy: limit.Policy{Concurrency: n, TokensPerMinute: 100_000}}
		if d, err := l.Begin(t.Context(), r); err != nil || d.Refused != "" {
			t.Fatalf("%+v, %v", d, err)
		}
		all = append(all, r)
	}
	return all
}

// remaining begins a request more, ends it and returns what is left of the tokens.
func remaining(t *testing.T, l *redis.Limiter, like limit.Request) int64 {
	t.Helper()
	like.ID = "after"
	d, err := l.Begin(t.Context(), like)
	if err != nil || d.Refused != "" {
		t.Fatalf("a request after those that have ended: %+v, %v", d, err)
	}
	if err := l.End(t.Context(), like, 0); err != nil {
		t.Error(err)
	}
	return d.Tokens.Remaining
}

// TestMissedEnds holds that requests that end while Redis is away give their places back, and have their tokens counted,
// before the next one is asked for.
func TestMissedEnds(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	l := open(t, "redis://"+server.Addr())
	l.Pause = 50 * time.Millisecond
	callers := [][]limit.Request{begins(t, l, "a", 3), begins(t, l, "b", 2)}
	server.SetError("LOADING it is not ready")
	for _, all := range callers {
		for _, r := range all {
			if err := l.End(t.Context(), r, 10_000); !errors.Is(err, redis.ErrUnavailable) {
				t.Fatalf("the error is %v", err)
			}
		}
	}
	if _, err := l.Begin(t.Context(), callers[0][0]); !errors.Is(err, redis.ErrUnavailable) {
		t.Fatalf("the error is %v", err)
	}
	server.SetError("")
	waitPause(t, l)
	for i, want := range []int64{70_000, 80_000} {
		if n := remaining(t, l, callers[i][0]); n < want || n > want+10_000 {
			t.Errorf("caller %d has %d tokens left, want %d and what a few seconds give back", i, n, want)
		}
	}
}

// waitPause asks until Redis is not left alone any more.
func waitPause(t *testing.T, l *redis.Limiter) {
	t.Helper()
	r := limit.Request{Key: "other", ID: "1", Policy: limit.Policy{Concurrency: 1}}
	for {
		if _, err := l.Begin(t.Context(), r); err == nil {
			break
		}
	}
	if err := l.End(t.Context(), r, 0); err != nil {
		t.Error(err)
	}
}

// TestEndsHeardTwice holds that ends whose answers are lost for good count once, also when others have come to be told
// since.
func TestEndsHeardTwice(t *testing.T) {
	t.Parallel()
	const lost = 3
	server := miniredis.RunT(t)
	line := newLossy(t, server.Addr())
	l := open(t, "redis://"+line.listener.Addr().String())
	l.Timeout, l.Pause = 10*time.Second, time.Nanosecond
	if err := l.End(t.Context(), begins(t, l, "warm", 1)[0], 1); err != nil { // Redis knows the script from here on
		t.Fatal(err)
	}
	all := begins(t, l, "a", lost+2)
	for i := range lost {
		line.losses.Store(4) // the client tries four times
		if err := l.End(t.Context(), all[i], 10_000); !errors.Is(err, redis.ErrUnavailable) {
			t.Fatalf("the error is %v", err)
		}
	}
	l.Pause = time.Hour
	line.losses.Store(4)
	if _, err := l.Begin(t.Context(), all[0]); !errors.Is(err, redis.ErrUnavailable) {
		t.Fatalf("the error is %v", err)
	}
	for _, r := range all[lost:] { // it is left alone
		if err := l.End(t.Context(), r, 10_000); !errors.Is(err, redis.ErrUnavailable) {
			t.Fatalf("the error is %v", err)
		}
	}
	if err := l.Close(); err != nil { // tells it
		t.Fatal(err)
	}
	again := open(t, "redis://"+server.Addr())
	if n := remaining(t, again, all[0]); n < 50_000 || n > 59_000 {
		t.Errorf("%d tokens are left, want 50000 and what has come back since", n)
	}
}

// TestForeignKey holds that what somebody else has put where a caller's counts are concerns that caller alone.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	l := open(t, "redis://"+server.Addr())
	l.Pause = time.Hour
	bad, good := begins(t, l, "bad", 1)[0], begins(t, l, "good", 2)
	for _, key := range server.Keys() {
		if strings.Contains(key, "YmFk") { // "bad" in base64
			server.Del(key)
			if err := server.Set(key, "something else"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.End(t.Context(), bad, 1); !errors.Is(err, redis.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
	if _, err := l.Begin(t.Context(), bad); !errors.Is(err, redis.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
	for _, r := range good {
		if err := l.End(t.Context(), r, 1); err != nil {
			t.Error(err)
		}
	}
	remaining(t, l, good[0])
}
