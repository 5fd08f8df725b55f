package dashboard

import (
	"cmp"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// The longest texts that are kept of a request.
const (
	maxText  = 200
	maxError = 1000
)

// request is one that has ended, as it is shown.
type request struct {
	Seq      int64  `json:"seq"`
	ID       string `json:"id"`
	Time     int64  `json:"time"` // of its end, in milliseconds since 1970
	Method   string `json:"method"`
	Endpoint string `json:"endpoint"`
	Format   string `json:"format,omitempty"`
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model,omitempty"`
	Upstream string `json:"upstream_model,omitempty"` // where it is not Model
	Caller   string `json:"caller,omitempty"`
	Account  string `json:"account,omitempty"`
	Attempts int    `json:"attempts,omitempty"`
	Streamed bool   `json:"streamed,omitempty"`

	Outcome   outcome `json:"outcome"`
	Status    int     `json:"status,omitempty"`
	ErrorType string  `json:"error_type,omitempty"`
	Error     string  `json:"error,omitempty"`

	Duration  int64   `json:"ms"`
	FirstByte int64   `json:"first_ms,omitempty"`
	Tokens    *tokens `json:"tokens,omitempty"` // nil if unknown
	Cost      int64   `json:"-"`
	CostUSD   float64 `json:"cost,omitempty"`
	Unpriced  bool    `json:"unpriced,omitempty"` // there are tokens, and no price

	exchange exchange
	path     string
	at       time.Time
	took     time.Duration
}

// exchange is what a request is known by: clients may choose an id that another request has.
type exchange struct {
	number uint64
	id     string
}

// tokens are counted once each: Input is without what caches gave and took.
type tokens struct {
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	CacheRead  int64 `json:"cache_read"`
	CacheWrite int64 `json:"cache_write"`
}

// outcome is how a request ended.
type outcome string

const (
	outcomeOK     outcome = "ok"
	outcomeFailed outcome = "failed"
	outcomeGone   outcome = "gone" // the client went away
)

// newRequest makes a request of an event; ok is false for an event without its payload.
func (p *plugin) newRequest(hc *hooks.Context) (r *request, ok bool) {
	switch e := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		if e == nil {
			return nil, false
		}
		r = newRequest(hc, &e.Request)
		r.Status = cmp.Or(e.Status, http.StatusOK) // a handler that ends without a word has answered 200
		if r.Status >= http.StatusBadRequest {
			r.Outcome = outcomeFailed
		}
		r.Upstream, r.Account, r.Attempts = e.UpstreamModel, e.Account, e.Attempts
		r.Streamed = e.Streamed
		r.timed(e.Duration, cmp.Or(e.TimeToFirstEvent, e.TimeToFirstByte))
		p.used(r, e.Usage)
	case *hooks.RequestFailed:
		if e == nil {
			return nil, false
		}
		r = newRequest(hc, &e.Request)
		r.Outcome, r.Status = outcomeFailed, e.Status
		if e.ClientGone {
			r.Outcome = outcomeGone
		}
		r.ErrorType, r.Error = clip(e.ErrorType, maxText), clip(e.Err, maxError)
		r.Upstream, r.Account, r.Attempts = e.UpstreamModel, e.Account, e.Attempts
		r.Streamed = e.Streamed
		r.timed(e.Duration, cmp.Or(e.TimeToFirstEvent, e.TimeToFirstByte))
		p.used(r, e.Usage)
	default:
		return nil, false
	}
	if r.Upstream = clip(r.Upstream, maxText); r.Upstream == r.Model {
		r.Upstream = ""
	}
	r.Account = clip(r.Account, maxText)
	return r, true
}

func newRequest(hc *hooks.Context, req *hooks.Request) *request {
	return &request{
		ID: clip(req.ID, maxText), Time: hc.Time.UnixMilli(), Method: clip(req.Method, maxText),
		Endpoint: clip(cmp.Or(req.Endpoint, req.Path), maxText), Format: clip(req.ClientFormat, maxText),
		Provider: clip(req.Provider, maxText), Model: clip(req.Model, maxText), Caller: clip(req.CallerID, maxText),
		Outcome: outcomeOK, exchange: exchange{hc.Exchange, req.ID}, path: req.Path, at: hc.Time,
	}
}

func (r *request) timed(took, first time.Duration) {
	r.took, r.Duration, r.FirstByte = took, took.Milliseconds(), first.Milliseconds()
}

// maxTokens keeps sums of nonsense from wrapping around.
const (
	maxTokens = 1 << 40
	maxCost   = 1e5
)

// used adds what a call consumed, and what that cost.
func (p *plugin) used(r *request, u *hooks.Usage) {
	if u == nil {
		return
	}
	bounded := func(n int64) int64 { return min(max(n, 0), maxTokens) }
	t := &tokens{
		Input: u.InputTokens, Output: bounded(u.OutputTokens),
		CacheRead: bounded(u.CacheReadInputTokens), CacheWrite: bounded(u.CacheCreationInputTokens),
	}
	if u.CacheInInput {
		t.Input -= t.CacheRead + t.CacheWrite
	}
	t.Input = bounded(t.Input)
	r.Tokens = t
	if u.CostUSD > 0 { // some providers tell; NaN, which JSON does not know, is not greater
		r.CostUSD = min(u.CostUSD, maxCost)
		r.Cost = int64(math.Round(r.CostUSD * 1e12))
		return
	}
	if p.prices == nil {
		return
	}
	cost, err := p.prices.Cost(u, r.Upstream, r.Model)
	if err != nil {
		r.Unpriced = true
		return
	}
	r.Cost, r.CostUSD = cost, dollars(cost)
}

func dollars(picodollars int64) float64 { return float64(picodollars) / 1e12 }

// clip cuts a text between characters, and mends what is no text.
func clip(s string, limit int) string {
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// started is a request that is being answered.
type started struct {
	ID       string `json:"id"`
	Time     int64  `json:"time"` // of its beginning, in milliseconds since 1970
	Endpoint string `json:"endpoint"`
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model,omitempty"`
	Caller   string `json:"caller,omitempty"`

	exchange exchange
}

func newStarted(hc *hooks.Context, e *hooks.RequestStarted) started {
	return started{
		ID: clip(e.ID, maxText), Time: hc.Time.UnixMilli(), Endpoint: clip(cmp.Or(e.Endpoint, e.Path), maxText),
		Provider: clip(e.Provider, maxText), Model: clip(e.Model, maxText), Caller: clip(e.CallerID, maxText),
		exchange: exchange{hc.Exchange, e.ID},
	}
}
