package maxtokens

import (
	"encoding/json"
	"strconv"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// leastThinking is the smallest budget that Anthropic's API takes, as its reference has it.
const leastThinking = 1024

// thinking is the budget for thinking, which a limit has to be larger than.
func thinking(req *hooks.PreparedRequest) int64 {
	raw, ok := req.Member("thinking")
	if !ok {
		return 0
	}
	budget, ok := rawjson.Find(raw, "budget_tokens")
	if !ok {
		return 0
	}
	const most = 1 << 30
	n, _ := rawjson.Int(budget)
	return min(max(n, 0), most)
}

// fitThinking keeps the budget for thinking below a limit that was set: at the share of it that it had before, a half
// where there was none. Where that leaves less than the API takes, and no room for that either, nothing is thought. It
// reports whether it has changed anything.
func fitThinking(req *hooks.PreparedRequest, limit Change) (c Change, ok bool) {
	budget := thinking(req)
	if adapters.Format(req.Format) != adapters.AnthropicMessages || budget < limit.To {
		return Change{}, false
	}
	c = limit
	c.Field, c.Reason, c.From, c.To = "thinking.budget_tokens", "exceeded", budget, limit.To/2
	if limit.From > budget {
		c.To = limit.To * budget / limit.From // neither is above the budget's own bound
	}
	c.To = max(c.To, leastThinking)
	if c.To >= limit.To {
		c.To = 0
		return c, req.SetMember("thinking", json.RawMessage(`{"type":"disabled"}`))
	}
	raw, _ := req.Member("thinking")
	var d rawjson.Doc
	if d.Scan(raw, rawjson.Options{}) != nil {
		return Change{}, false
	}
	return c, req.SetMember("thinking", d.Set("budget_tokens", strconv.AppendInt(nil, c.To, 10)))
}
