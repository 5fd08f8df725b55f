package redis_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ccproxy-go/ccproxy/limit"
)

// A request whose policy has no budget of tokens does not let the caller's debt of tokens be forgotten: policies change
// from request to request. limit.Local keeps it.
func TestDebtOutlivesAnotherPolicy(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	now := time.Now()
	server.SetTime(now)
	l := open(t, "redis://"+server.Addr())
	tokens := limit.Policy{TokensPerMinute: 60, RequestsPerMinute: 60}
	requests := limit.Policy{RequestsPerMinute: 60}
	begin := func(id string, p limit.Policy) limit.Decision {
		d, err := l.Begin(t.Context(), limit.Request{Key: "team", ID: id, Policy: p})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	begin("1", tokens)
	if err := l.End(t.Context(), limit.Request{Key: "team", ID: "1", Policy: tokens}, 660); err != nil { // ten minutes too much
		t.Fatal(err)
	}
	if d := begin("2", tokens); d.Refused != limit.Tokens {
		t.Fatalf("%+v", d)
	}
	begin("3", requests)
	server.FastForward(10 * time.Second)
	server.SetTime(now.Add(10 * time.Second))
	if d := begin("4", tokens); d.Refused != limit.Tokens {
		t.Errorf("ten seconds later a debt of ten minutes is forgotten: %+v", d)
	}
}
