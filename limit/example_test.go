package limit_test

import (
	"context"
	"fmt"

	"github.com/ccproxy-go/ccproxy/limit"
)

// A limiter is asked before a request and told afterwards what it has taken.
func ExampleLocal() {
	ctx := context.Background()
	var limiter limit.Local
	r := limit.Request{Key: "team-a", ID: "1", Policy: limit.Policy{RequestsPerMinute: 60, TokensPerMinute: 1000}}
	for range 2 {
		d, err := limiter.Begin(ctx, r)
		switch {
		case err != nil:
			fmt.Println(err)
		case d.Refused != "":
			fmt.Printf("refused by %s, again in %.0f s\n", d.Refused, d.RetryAfter.Seconds())
		default:
			fmt.Println("requests left:", d.Requests.Remaining)
			_ = limiter.End(ctx, r, 1500)
		}
	}
	// Output:
	// requests left: 59
	// refused by tokens, again in 30 s
}

// A meter is the arithmetic of one budget, for limiters that keep their counts elsewhere.
func ExampleMeter() {
	perMinute := limit.Meter(60)
	debt := perMinute.Spend(0, 15)
	fmt.Println(debt, perMinute.Budget(debt).Remaining, perMinute.Wait(debt, 50))
	// Output: 15s 45 5s
}
