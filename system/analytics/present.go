package analytics

import "time"

// recordJSON is a record as clients see it. The names are those of access logs.
type recordJSON struct {
	ID            ID        `json:"id"`
	Timestamp     time.Time `json:"timestamp"`
	RequestID     string    `json:"request_id"`
	Method        string    `json:"method"`
	Path          string    `json:"path"`
	Query         string    `json:"query,omitempty"`
	Endpoint      string    `json:"endpoint"`
	ClientIP      string    `json:"client_ip"`
	UserAgent     string    `json:"user_agent"`
	Caller        string    `json:"caller,omitempty"`
	Session       string    `json:"session,omitempty"`
	ClientFormat  string    `json:"client_format,omitempty"`
	ServiceType   string    `json:"service_type,omitempty"`
	Provider      string    `json:"provider,omitempty"`
	Account       string    `json:"account,omitempty"`
	Model         string    `json:"model,omitempty"`
	UpstreamModel string    `json:"upstream_model,omitempty"`
	Operation     string    `json:"operation,omitempty"`
	Attempts      int       `json:"attempts"`
	Streaming     bool      `json:"streaming"`
	StatusCode    int       `json:"status_code"`
	Outcome       Outcome   `json:"outcome"`
	ErrorType     string    `json:"error_type,omitempty"`
	Error         string    `json:"error,omitempty"`
	DurationMS    float64   `json:"duration_ms"`
	DurationS     float64   `json:"duration_seconds"`
	FirstByteMS   *float64  `json:"time_to_first_byte_ms"`
	RequestBytes  int64     `json:"request_bytes"`
	ResponseBytes int64     `json:"response_bytes"`

	TokensInput  *int64  `json:"tokens_input"`
	TokensOutput *int64  `json:"tokens_output"`
	CacheRead    *int64  `json:"cache_read_tokens"`
	CacheWrite   *int64  `json:"cache_write_tokens"`
	CacheWrite1h *int64  `json:"cache_write_1h_tokens"`
	Reasoning    *int64  `json:"reasoning_tokens"`
	Partial      bool    `json:"tokens_partial"`
	CacheInInput bool    `json:"cache_in_input"`
	ServiceTier  string  `json:"service_tier,omitempty"`
	CostUSD      *Amount `json:"cost_usd"`
}

func present(r *Record) recordJSON {
	out := recordJSON{
		ID: r.ID, Timestamp: r.Time, RequestID: r.RequestID, Method: r.Method, Path: r.Path, Query: r.Query,
		Endpoint: r.Endpoint, ClientIP: r.ClientIP, UserAgent: r.UserAgent, Caller: r.Caller, Session: r.Session,
		ClientFormat: r.ClientFormat, ServiceType: r.Provider, Provider: r.Provider, Account: r.Account,
		Model: r.Model, UpstreamModel: r.UpstreamModel, Operation: r.Operation, Attempts: r.Attempts,
		Streaming: r.Streamed, StatusCode: r.Status, Outcome: r.Outcome, ErrorType: r.ErrorType, Error: r.Error,
		DurationMS: milliseconds(r.Duration), DurationS: r.Duration.Seconds(),
		RequestBytes: r.RequestBytes, ResponseBytes: r.ResponseBytes,
		Partial: r.TokensPartial, CacheInInput: r.CacheInInput, ServiceTier: r.ServiceTier, CostUSD: r.Cost,
	}
	if r.TimeToFirstByte != 0 {
		ms := milliseconds(r.TimeToFirstByte)
		out.FirstByteMS = &ms
	}
	if t := r.Tokens; t != nil {
		out.TokensInput, out.TokensOutput = &t.Input, &t.Output
		out.CacheRead, out.CacheWrite, out.CacheWrite1h, out.Reasoning = &t.CacheRead, &t.CacheWrite, &t.CacheWrite1h,
			&t.Reasoning
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// sumsAnswer is the answer of /logs/analytics.
type sumsAnswer struct {
	Summary     summaryJSON          `json:"summary"`
	Tokens      tokensJSON           `json:"token_analytics"`
	Requests    requestsJSON         `json:"request_analytics"`
	ByProvider  map[string]totalJSON `json:"service_type_breakdown"`
	Groups      []groupJSON          `json:"groups"`
	QueryTime   float64              `json:"query_time"`
	Backend     string               `json:"backend"`
	QueryParams map[string]any       `json:"query_params"`
}

type summaryJSON struct {
	Requests      int64   `json:"total_requests"`
	Successes     int64   `json:"total_successful_requests"`
	Errors        int64   `json:"total_error_requests"`
	Canceled      int64   `json:"total_canceled_requests"`
	AvgDurationMS float64 `json:"avg_duration_ms"`
	MaxDurationMS float64 `json:"max_duration_ms"`
	AvgFirstMS    float64 `json:"avg_time_to_first_byte_ms"`
	Cost          Amount  `json:"total_cost_usd"`
	CostUnknown   int64   `json:"cost_unknown_requests"`
	Input         int64   `json:"total_tokens_input"`
	Output        int64   `json:"total_tokens_output"`
	CacheRead     int64   `json:"total_cache_read_tokens"`
	CacheWrite    int64   `json:"total_cache_write_tokens"`
	All           int64   `json:"total_tokens_all"`
}

type tokensJSON struct {
	Input      int64 `json:"input_tokens"`
	Output     int64 `json:"output_tokens"`
	CacheRead  int64 `json:"cache_read_tokens"`
	CacheWrite int64 `json:"cache_write_tokens"`
	Reasoning  int64 `json:"reasoning_tokens"`
	Total      int64 `json:"total_tokens"`
	Unknown    int64 `json:"unknown_requests"`
	Partial    int64 `json:"partial_requests"`
}

type requestsJSON struct {
	Requests    int64   `json:"total_requests"`
	Successes   int64   `json:"successful_requests"`
	Errors      int64   `json:"error_requests"`
	Canceled    int64   `json:"canceled_requests"`
	SuccessRate float64 `json:"success_rate"` // percent
	ErrorRate   float64 `json:"error_rate"`
}

type totalJSON struct {
	Requests      int64   `json:"request_count"`
	Successes     int64   `json:"successful_requests"`
	Errors        int64   `json:"error_requests"`
	Canceled      int64   `json:"canceled_requests"`
	SuccessRate   float64 `json:"success_rate"`
	ErrorRate     float64 `json:"error_rate"`
	AvgDurationMS float64 `json:"avg_duration_ms"`
	MaxDurationMS float64 `json:"max_duration_ms"`
	AvgFirstMS    float64 `json:"avg_time_to_first_byte_ms"`
	Cost          Amount  `json:"total_cost_usd"`
	CostUnknown   int64   `json:"cost_unknown_requests"`
	Input         int64   `json:"total_tokens_input"`
	Output        int64   `json:"total_tokens_output"`
	CacheRead     int64   `json:"total_cache_read_tokens"`
	CacheWrite    int64   `json:"total_cache_write_tokens"`
	All           int64   `json:"total_tokens_all"`
}

// groupJSON has those keys that were asked for.
type groupJSON struct {
	totalJSON
	Time     *time.Time `json:"time,omitempty"`
	Model    *string    `json:"model,omitempty"`
	Provider *string    `json:"provider,omitempty"`
	Caller   *string    `json:"caller,omitempty"`
	Account  *string    `json:"account,omitempty"`
	Outcome  *Outcome   `json:"outcome,omitempty"`
}

// presentSums makes the answer of the sums by provider, which add up to those in all, and by what was asked for.
func presentSums(byProvider, groups []Group, by []Dimension) sumsAnswer {
	out := sumsAnswer{ByProvider: make(map[string]totalJSON, len(byProvider)), Groups: []groupJSON{}}
	var all Totals
	for i := range byProvider {
		out.ByProvider[byProvider[i].Provider] = presentTotals(&byProvider[i].Totals)
		all.plus(&byProvider[i].Totals)
	}
	t := presentTotals(&all)
	out.Summary = summaryJSON{
		Requests: t.Requests, Successes: t.Successes, Errors: t.Errors, Canceled: t.Canceled,
		AvgDurationMS: t.AvgDurationMS, MaxDurationMS: t.MaxDurationMS, AvgFirstMS: t.AvgFirstMS,
		Cost: t.Cost, CostUnknown: t.CostUnknown, Input: t.Input, Output: t.Output,
		CacheRead: t.CacheRead, CacheWrite: t.CacheWrite, All: t.All,
	}
	out.Tokens = tokensJSON{
		Input: t.Input, Output: t.Output, CacheRead: t.CacheRead, CacheWrite: t.CacheWrite,
		Reasoning: all.Tokens.Reasoning, Total: t.All, Unknown: all.TokensUnknown, Partial: all.TokensPartial,
	}
	out.Requests = requestsJSON{
		Requests: t.Requests, Successes: t.Successes, Errors: t.Errors, Canceled: t.Canceled,
		SuccessRate: t.SuccessRate, ErrorRate: t.ErrorRate,
	}
	for i := range groups {
		out.Groups = append(out.Groups, presentGroup(&groups[i], by))
	}
	return out
}

func presentGroup(g *Group, by []Dimension) groupJSON {
	out := groupJSON{totalJSON: presentTotals(&g.Totals)}
	for _, d := range by {
		switch d {
		case ByHour, ByDay:
			out.Time = &g.Time
		case ByModel:
			out.Model = &g.Model
		case ByProvider:
			out.Provider = &g.Provider
		case ByCaller:
			out.Caller = &g.Caller
		case ByAccount:
			out.Account = &g.Account
		case ByOutcome:
			out.Outcome = &g.Outcome
		}
	}
	return out
}

func presentTotals(t *Totals) totalJSON {
	return totalJSON{
		Requests: t.Requests, Successes: t.Successes, Errors: t.Errors, Canceled: t.Canceled,
		SuccessRate: per(100*float64(t.Successes), t.Requests), ErrorRate: per(100*float64(t.Errors), t.Requests),
		AvgDurationMS: per(milliseconds(t.Duration), t.Requests), MaxDurationMS: milliseconds(t.DurationMax),
		AvgFirstMS: per(milliseconds(t.TimeToFirstByte), t.FirstBytes),
		Cost:       t.Cost, CostUnknown: t.CostUnknown, Input: t.Tokens.Input, Output: t.Tokens.Output,
		CacheRead: t.Tokens.CacheRead, CacheWrite: t.Tokens.CacheWrite, All: t.TokensAll,
	}
}

// per divides, and is zero where there is nothing to divide by.
func per(sum float64, n int64) float64 {
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// plus adds the sums of other records.
func (t *Totals) plus(u *Totals) {
	t.Requests += u.Requests
	t.Successes += u.Successes
	t.Errors += u.Errors
	t.Canceled += u.Canceled
	t.Tokens.Input += u.Tokens.Input
	t.Tokens.Output += u.Tokens.Output
	t.Tokens.CacheRead += u.Tokens.CacheRead
	t.Tokens.CacheWrite += u.Tokens.CacheWrite
	t.Tokens.CacheWrite1h += u.Tokens.CacheWrite1h
	t.Tokens.Reasoning += u.Tokens.Reasoning
	t.TokensAll += u.TokensAll
	t.TokensUnknown += u.TokensUnknown
	t.TokensPartial += u.TokensPartial
	t.Cost = t.Cost.Plus(u.Cost)
	t.CostUnknown += u.CostUnknown
	t.Duration += u.Duration
	t.DurationMax = max(t.DurationMax, u.DurationMax)
	t.FirstBytes += u.FirstBytes
	t.TimeToFirstByte += u.TimeToFirstByte
	t.RequestBytes += u.RequestBytes
	t.ResponseBytes += u.ResponseBytes
}
