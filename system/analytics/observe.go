package analytics

import (
	"cmp"
	"math"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// maxTokens bounds what an upstream can claim: sums of it are within 64 bits for millions of records.
const maxTokens = 1_000_000_000_000

// fill makes an empty record that of an event. It returns false for an event without its payload.
func (p *plugin) fill(r *Record, hc *hooks.Context) bool {
	var usage *hooks.Usage
	switch e := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		if e == nil {
			return false
		}
		r.Status, r.Outcome, r.Duration = cmp.Or(e.Status, http.StatusOK), OutcomeSuccess, e.Duration
		r.TimeToFirstByte = cmp.Or(e.TimeToFirstEvent, e.TimeToFirstByte)
		r.ResponseBytes, r.Streamed = e.ResponseBytes, e.Streamed
		r.request(&e.Request)
		r.call(e.Operation, e.UpstreamModel, e.Account, e.Attempts)
		usage = e.Usage
	case *hooks.RequestFailed:
		if e == nil {
			return false
		}
		r.Status, r.Outcome, r.Duration = e.Status, OutcomeError, e.Duration
		r.TimeToFirstByte = cmp.Or(e.TimeToFirstEvent, e.TimeToFirstByte)
		r.ResponseBytes, r.Streamed = e.ResponseBytes, e.Streamed
		r.ErrorType, r.Error = clip(e.ErrorType, maxText), clip(e.Err, maxLongText)
		if e.ClientGone {
			r.Outcome = OutcomeCanceled
		}
		r.request(&e.Request)
		r.call(e.Operation, e.UpstreamModel, e.Account, e.Attempts)
		usage = e.Usage
	default:
		return false
	}
	r.times(hc.Time)
	r.usage(usage)
	r.Cost = p.cost(usage, r.UpstreamModel, r.Model)
	return true
}

// maxCost bounds the dollars that a provider can claim for a call.
const maxCost = 1e5

// cost is what usage has cost: as its provider says, or else by the list; nil where nobody knows.
func (p *plugin) cost(u *hooks.Usage, models ...string) *Amount {
	switch {
	case u == nil:
		return nil
	case u.CostUSD > 0:
		told := AmountOf(int64(math.Round(min(u.CostUSD, maxCost) * picos)))
		return &told
	case p.price == nil:
		return nil
	}
	return p.price(u, models...)
}

func (r *Record) request(req *hooks.Request) {
	r.RequestID, r.Method, r.Path = clip(req.ID, maxText), clip(req.Method, maxText), clip(req.Path, maxLongText)
	r.Query, r.Endpoint = clip(req.Query, maxLongText), clip(req.Endpoint, maxText)
	r.ClientIP, r.UserAgent = clip(req.ClientIP, maxText), clip(req.UserAgent, maxText)
	r.Caller, r.Session = clip(req.CallerID, maxText), clip(req.Session, maxText)
	r.ClientFormat, r.Provider = clip(req.ClientFormat, maxText), clip(req.Provider, maxText)
	r.Model, r.RequestBytes = clip(req.Model, maxText), req.BodyBytes
}

func (r *Record) call(operation, upstreamModel, account string, attempts int) {
	r.Operation, r.UpstreamModel = clip(operation, maxText), clip(upstreamModel, maxText)
	r.Account, r.Attempts = clip(account, maxText), attempts
}

// times gives the record the precision that stores have, and its ID.
func (r *Record) times(ended time.Time) {
	r.Duration = r.Duration.Truncate(time.Microsecond)
	r.TimeToFirstByte = r.TimeToFirstByte.Truncate(time.Microsecond)
	r.Time = ended.Add(-r.Duration).UTC().Truncate(time.Microsecond)
	r.ID = NewID(r.Time)
}

func (r *Record) usage(u *hooks.Usage) {
	if u == nil {
		return
	}
	bounded := func(n int64) int64 { return min(max(n, 0), maxTokens) }
	r.Tokens = &Tokens{
		Input: bounded(u.InputTokens), Output: bounded(u.OutputTokens),
		CacheRead: bounded(u.CacheReadInputTokens), CacheWrite: bounded(u.CacheCreationInputTokens),
		CacheWrite1h: bounded(u.CacheCreation1hInputTokens), Reasoning: bounded(u.ReasoningTokens),
	}
	r.TokensPartial, r.CacheInInput = u.Partial, u.CacheInInput
	r.ServiceTier = clip(u.ServiceTier, maxText)
	if r.UpstreamModel == "" {
		r.UpstreamModel = clip(u.Model, maxText)
	}
}
