package pricing_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

// TestLookupAgain holds that what is remembered of a name is what it means, whatever else is asked meanwhile.
func TestLookupAgain(t *testing.T) {
	t.Parallel()
	cfg := pricing.DefaultConfig()
	cfg.Aliases = map[string]string{"us.anthropic.claude-haiku-4-5-20251001-v1:0": "claude-opus-4-6", "fast": "claude-haiku-4-5-20251001"}
	p, err := pricing.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"claude-haiku-4-5": "claude-haiku-4-5", "claude-haiku-4-5-20251001": "claude-haiku-4-5",
		"us.anthropic.claude-haiku-4-5-20251001-v1:0": "claude-opus-4-6", "fast": "claude-haiku-4-5", "nobody-knows": "",
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 600 { // more names than are remembered
				if _, err := p.Lookup(fmt.Sprintf("anthropic/claude-haiku-4-5/%d-%d", worker, i)); err == nil {
					t.Error("a name that nobody has has a price")
				}
				for name, model := range want {
					if got, err := p.Lookup(name); got.Model != model || (err == nil) != (model != "") {
						t.Errorf("%s means %q, %v; want %q", name, got.Model, err, model)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestCostAllocations bounds what every request pays, several times.
func TestCostAllocations(t *testing.T) { //nolint:paralleltest // it counts allocations
	p, err := pricing.New(pricing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	u := &hooks.Usage{Model: "claude-haiku-4-5-20251001", InputTokens: 7}
	n := testing.AllocsPerRun(100, func() {
		if _, err := p.Cost(u, "anthropic/claude-haiku-4-5-20251001"); err != nil {
			t.Error(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for a cost, want none", n)
	}
}
