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

// newRecord makes a record of an event; ok is false for an event without its payload.
func (p *plugin) newRecord(hc *hooks.Context) (r Record, ok bool) {
	var usage *hooks.Usage
	switch e := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		if e == nil {
			return Record{}, false
		}
		r = Record{
			Status: cmp.Or(e.Status, http.StatusOK), Outcome: OutcomeSuccess, Duration: e.Duration,
			TimeToFirstByte: e.TimeToFirstByte, ResponseBytes: e.ResponseBytes, Streamed: e.Streamed,
			Operation: clip(e.Operation, maxText), UpstreamModel: clip(e.UpstreamModel, maxText),
			Attempts: e.Attempts, Account: clip(e.Account, maxText),
		}
		r.request(&e.Request)
		usage = e.Usage
	case *hooks.RequestFailed:
		if e == nil {
			return Record{}, false
		}
		r = Record{
			Status: e.Status, Outcome: OutcomeError, Duration: e.Duration,
			TimeToFirstByte: e.TimeToFirstByte, ResponseBytes: e.ResponseBytes, Streamed: e.Streamed,
			Operation: clip(e.Operation, maxText), UpstreamModel: clip(e.UpstreamModel, maxText),
			Attempts: e.Attempts, Account: clip(e.Account, maxText),
			ErrorType: clip(e.ErrorType, maxText), Error: clip(e.Err, maxLongText),
		}
		if e.ClientGone {
			r.Outcome = OutcomeCanceled
		}
		r.request(&e.Request)
		usage = e.Usage
	default:
		return Record{}, false
	}
	r.times(hc.Time)
	r.usage(usage)
	r.Cost = p.cost(usage, r.UpstreamModel, r.Model)
	return r, true
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
