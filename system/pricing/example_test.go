package pricing_test

import (
	"fmt"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

// Prices work without a proxy, too.
func ExampleNew() {
	prices, err := pricing.New(pricing.DefaultConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	usage := &hooks.Usage{Model: "claude-haiku-4-5-20251001", InputTokens: 1200, CacheReadInputTokens: 40_000, OutputTokens: 300}
	cost, err := prices.Cost(usage)
	fmt.Println(pricing.Amount(cost), err)
	_, err = prices.Cost(&hooks.Usage{Model: "claude-haiku-45", InputTokens: 1})
	fmt.Println(err)
	// Output:
	// 0.0067 <nil>
	// no price for the model "claude-haiku-45" (did you mean claude-haiku-4-5, claude-haiku-5-5, claude-fable-5?)
}
