package accesslog

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// entry is one request that has ended.
type entry struct {
	arrived  time.Time
	req      hooks.Request
	status   int // zero if the client was told nothing
	bytes    int64
	duration time.Duration
	err      string
	usage    *hooks.Usage
}

// newEntry makes an entry of an event; ok is false for an event without its payload.
func newEntry(hc *hooks.Context) (e entry, ok bool) {
	switch p := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		if p == nil {
			return entry{}, false
		}
		// A handler that ends without a word has answered 200.
		e = entry{status: cmp.Or(p.Status, http.StatusOK), bytes: p.ResponseBytes, duration: p.Duration, usage: p.Usage}
		e.req = p.Request
	case *hooks.RequestFailed:
		if p == nil {
			return entry{}, false
		}
		e = entry{status: p.Status, bytes: p.ResponseBytes, duration: p.Duration, usage: p.Usage}
		e.req, e.err = p.Request, cmp.Or(p.Err, p.ErrorType)
	default:
		return entry{}, false
	}
	e.arrived = hc.Time.Add(-e.duration).UTC()
	return e, true
}

// attrs are the members of a structured line, in their order and without those that have no value.
func (e *entry) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 17)
	text := func(key, value string) { attrs = appendText(attrs, key, value) }
	number := func(key string, value int64, known bool) { attrs = appendNumber(attrs, key, value, known) }
	usage := cmp.Or(e.usage, &hooks.Usage{})
	text("timestamp", e.arrived.Format(time.RFC3339Nano))
	text("request_id", e.req.ID)
	text("method", e.req.Method)
	text("path", e.req.Path)
	text("query", e.req.Query)
	number("status_code", int64(e.status), e.status != 0)
	attrs = append(attrs, slog.Float64("duration_ms", float64(e.duration.Microseconds())/1000))
	text("client_ip", e.req.ClientIP)
	text("user_agent", e.req.UserAgent)
	number("body_size", e.req.BodyBytes, e.req.BodyBytes > 0)
	text("error", e.err)
	text("endpoint", e.req.Endpoint)
	text("model", cmp.Or(e.req.Model, usage.Model))
	text("service_type", e.req.Provider)
	number("tokens_input", usage.InputTokens, e.usage != nil)
	number("tokens_output", usage.OutputTokens, e.usage != nil)
	if usage.CostUSD > 0 {
		attrs = append(attrs, slog.Float64("cost_usd", usage.CostUSD))
	}
	return attrs
}

func appendText(attrs []slog.Attr, key, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(key, value))
}

func appendNumber(attrs []slog.Attr, key string, value int64, known bool) []slog.Attr {
	if !known {
		return attrs
	}
	return append(attrs, slog.Int64(key, value))
}
