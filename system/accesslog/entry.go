package accesslog

import (
	"cmp"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// entry is one request that has ended.
type entry struct {
	arrived  time.Time
	req      *hooks.Request
	status   int // zero if the client was told nothing
	bytes    int64
	duration time.Duration
	err      string
	usage    *hooks.Usage
	cost     float64 // in dollars, zero where nobody knows
}

// newEntry makes an entry of an event; it is nil for an event without its payload.
func newEntry(hc *hooks.Context) *entry {
	var e *entry
	switch p := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		if p == nil {
			return nil
		}
		e = &entry{req: &p.Request, bytes: p.ResponseBytes, duration: p.Duration, usage: p.Usage}
		e.status = cmp.Or(p.Status, http.StatusOK) // a handler that ends without a word has answered 200
	case *hooks.RequestFailed:
		if p == nil {
			return nil
		}
		e = &entry{req: &p.Request, bytes: p.ResponseBytes, duration: p.Duration, usage: p.Usage}
		e.status, e.err = p.Status, cmp.Or(p.Err, p.ErrorType)
	default:
		return nil
	}
	e.arrived = hc.Time.Add(-e.duration).UTC()
	return e
}

// members implements [line].
func (e *entry) members(m *members) {
	m.text("timestamp", e.arrived.Format(time.RFC3339Nano))
	m.text("request_id", e.req.ID)
	m.text("method", e.req.Method)
	m.text("path", e.req.Path)
	m.text("query", e.req.Query)
	m.number("status_code", int64(e.status), e.status != 0)
	m.float("duration_ms", float64(e.duration.Microseconds())/1000)
	m.text("client_ip", e.req.ClientIP)
	m.text("user_agent", e.req.UserAgent)
	m.number("body_size", e.req.BodyBytes, e.req.BodyBytes > 0)
	m.text("error", e.err)
	m.text("endpoint", e.req.Endpoint)
	usage := e.usage
	if usage == nil {
		usage = &hooks.Usage{}
	}
	m.text("model", cmp.Or(e.req.Model, usage.Model))
	m.text("service_type", e.req.Provider)
	m.number("tokens_input", usage.InputTokens, e.usage != nil)
	m.number("tokens_output", usage.OutputTokens, e.usage != nil)
	if e.cost > 0 {
		m.float("cost_usd", e.cost)
	}
}
