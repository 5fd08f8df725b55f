package budgets

import (
	"context"
	"math"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

const (
	bytesPerToken  = 4 // of JSON, for text
	defaultOutput  = 4096
	maxInputTokens = 1 << 20 // more than what models take; what is longer has images in it
	// eventOverhead is how much longer an event of a stream is than the token that it brings.
	eventOverhead = 20
)

// demand is a request that wants to begin.
type demand struct {
	exchange uint64
	caller   string
	models   modelNames
	usage    hooks.Usage // estimated
}

// demandOf makes a demand of a request. Its usage is there only after estimate.
func demandOf(ctx context.Context, req *hooks.PreparedRequest) demand {
	d := demand{exchange: ccproxy.ExchangeFrom(ctx), models: namesOf(req.Provider, req.Model, req.ClientModel)}
	if c, ok := ccproxy.CallerFrom(ctx); ok {
		d.caller = c.ID
	}
	return d
}

// estimate guesses what a request will use: its size in tokens, and as much output as it asks for, up to most.
func (d *demand) estimate(req *hooks.PreparedRequest, models prices, most int64) {
	size := int64(req.BodyBytes())
	d.usage = hooks.Usage{Model: req.Model, InputTokens: min(size/bytesPerToken, maxInputTokens)}
	if req.Operation == string(ccproxy.OpEmbeddings) {
		return // has no output
	}
	if most < 0 {
		most = math.MaxInt32
	}
	d.usage.OutputTokens = min(asked(req, models), most)
}

// asked is how much output a request asks for: the most that any dialect would take it for, times the answers that it
// wants.
func asked(req *hooks.PreparedRequest, models prices) int64 {
	number := func(key string) int64 {
		raw, _ := req.Member(key)
		n, _ := rawjson.Whole(raw)
		return max(n, 0)
	}
	most := max(number("max_completion_tokens"), number("max_output_tokens"), number("max_tokens"))
	if most == 0 {
		most = usual(req, models)
	}
	answers := max(number("n"), 1)
	if most > math.MaxInt64/answers {
		return math.MaxInt64
	}
	return most * answers
}

// usual is how much output there may be where a request does not say.
func usual(req *hooks.PreparedRequest, models prices) int64 {
	if models != nil {
		if n, ok := models.OutputLimit(req.Model); ok {
			return n
		}
	}
	return defaultOutput
}

// tokensOf is what usage counts, whichever way its upstream counts caches.
func tokensOf(u *hooks.Usage) int64 {
	n := sum(max(u.InputTokens, 0), max(u.OutputTokens, 0))
	if !u.CacheInInput {
		n = sum(n, sum(max(u.CacheReadInputTokens, 0), max(u.CacheCreationInputTokens, 0)))
	}
	return n
}

// outcome is how a request ended.
type outcome struct {
	exchange uint64
	request  hooks.Request
	model    string // of the upstream
	op       string
	usage    *hooks.Usage
	bytes    int64
	answered bool // the client has got something of an answer
	duration time.Duration
}

// outcomeOf reads the event that ends a request.
func outcomeOf(hc *hooks.Context) (o outcome, ok bool) {
	switch p := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		return outcome{
			exchange: hc.Exchange, request: p.Request, model: p.UpstreamModel, op: p.Operation, usage: p.Usage,
			bytes: p.ResponseBytes, answered: true, duration: p.Duration,
		}, true
	case *hooks.RequestFailed:
		return outcome{
			exchange: hc.Exchange, request: p.Request, model: p.UpstreamModel, op: p.Operation, usage: p.Usage,
			bytes: p.ResponseBytes, answered: p.Streamed, duration: p.Duration,
		}, true
	}
	return o, false
}

// unreported guesses what was used beyond what the upstream has told: the output of a stream that broke off, as
// far as the client has got it.
func (o *outcome) unreported() *hooks.Usage {
	if o.usage == nil || !o.usage.Partial {
		return nil
	}
	u := *o.usage
	u.OutputTokens = max(u.OutputTokens, o.bytes/(bytesPerToken*eventOverhead))
	return &u
}
