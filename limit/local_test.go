package limit_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/limit/limittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLocal(t *testing.T) {
	t.Parallel()
	for _, c := range limittest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.Test(t, limittest.Rig{Limiter: new(limit.Local), Advance: time.Sleep})
			})
		})
	}
}

// A budget is spent to the last request, and comes back evenly: whatever the rhythm, no minute sees more than two
// budgets, and a long time sees what the policy says.
func TestLocalRate(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int64{1, 7, 60, 1000, 100_000} {
		t.Run(strconv.FormatInt(perMinute, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var l limit.Local
				let := int64(0)
				r := limit.Request{Key: "k", Policy: limit.Policy{RequestsPerMinute: perMinute}}
				const minutes, ticks = 5, 600
				for range minutes * ticks {
					for {
						d, err := l.Begin(t.Context(), r)
						if err != nil {
							t.Fatal(err)
						}
						if d.Refused != "" {
							break
						}
						let++
						_ = l.End(t.Context(), r, 0)
					}
					time.Sleep(time.Minute / ticks)
				}
				// The whole budget at once, and what came back since but for the last tick.
				want := perMinute + minutes*perMinute
				if let > want || let < want-perMinute/ticks-2 {
					t.Errorf("%d requests in %d minutes, want %d", let, minutes, want)
				}
			})
		})
	}
}

// Keys that have nothing more to count are forgotten; those that have are kept, up to a number.
func TestLocalKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.Local{MaxKeys: 2000}
		p := limit.Policy{RequestsPerMinute: 60, Concurrency: 1}
		begin := func(n int) error {
			_, err := l.Begin(t.Context(), limit.Request{Key: fmt.Sprint(n), Policy: p})
			return err
		}
		for i := range 2000 {
			if err := begin(i); err != nil {
				t.Fatalf("key %d: %v", i, err)
			}
		}
		if err := begin(2000); !errors.Is(err, limit.ErrFull) {
			t.Fatalf("one key more: %v, want ErrFull", err)
		}
		if d, err := l.Begin(t.Context(), limit.Request{Key: "7", Policy: p}); err != nil || d.Refused != limit.Concurrency {
			t.Errorf("a key that is known: %+v, %v", d, err)
		}
		for i := range 1000 {
			_ = l.End(t.Context(), limit.Request{Key: fmt.Sprint(i), Policy: p}, 0)
		}
		time.Sleep(2 * time.Second) // a request per second comes back
		for i := range 1000 {
			if err := begin(3000 + i); err != nil {
				t.Fatalf("key %d in the place of one that has ended: %v", i, err)
			}
		}
		if err := begin(5000); !errors.Is(err, limit.ErrFull) {
			t.Errorf("one key more: %v, want ErrFull", err)
		}
	})
}

// An end of what has not begun changes nothing.
func TestLocalStrayEnd(t *testing.T) {
	t.Parallel()
	var l limit.Local
	r := limit.Request{Key: "k", Policy: limit.Policy{Concurrency: 1, TokensPerMinute: 1}}
	_ = l.End(t.Context(), r, 100)
	if d, err := l.Begin(t.Context(), r); err != nil || d.Refused != "" {
		t.Fatalf("Begin = %+v, %v", d, err)
	}
	if d, err := l.Begin(t.Context(), r); err != nil || d.Refused != limit.Concurrency {
		t.Errorf("second Begin = %+v, %v", d, err)
	}
}

func BenchmarkLocal(b *testing.B) {
	var l limit.Local
	r := limit.Request{Key: "k", Policy: limit.Policy{Concurrency: 1 << 20, RequestsPerMinute: 1 << 40, TokensPerMinute: 1 << 40}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Begin(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		_ = l.End(b.Context(), r, 100)
	}
}
