package accesslog

import (
	"cmp"
	"net/url"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// call is one call of a provider.
type call struct {
	id, provider string
	method, url  string
	model        string
	attempt      int
	began        time.Time
	duration     time.Duration
	status       int // zero if there was no answer
	bytes        int64
	err          string
	usage        *hooks.Usage
	cost         float64 // in dollars, where it is not in the usage
	supposed     bool    // nothing has told of it yet but the failure of the one before
}

// members implements [line].
func (c *call) members(m *members) {
	m.text("timestamp", c.began.UTC().Format(time.RFC3339Nano))
	m.text("request_id", c.id)
	m.text("provider", c.provider)
	m.text("method", c.method)
	m.text("url", c.url)
	m.number("status_code", int64(c.status), c.status != 0)
	m.float("duration_ms", float64(c.duration.Microseconds())/1000)
	if u := c.usage; u != nil {
		m.number("tokens_input", u.InputTokens, true)
		m.number("tokens_output", u.OutputTokens, true)
		m.number("cache_read_tokens", u.CacheReadInputTokens, true)
		m.number("cache_write_tokens", u.CacheCreationInputTokens, true)
		if cost := cmp.Or(c.cost, told(u)); cost > 0 {
			m.float("cost_usd", cost)
		}
	}
	m.text("model", c.model)
	m.number("attempt", int64(c.attempt), c.attempt != 0)
	m.text("error", c.err)
}

// line implements [line].
func (c *call) line(f Format, d *draft) []byte {
	if f == FormatStructured {
		return d.object(c)
	}
	u, err := url.Parse(c.url)
	if err != nil {
		u = &url.URL{}
	}
	b := appendBare(d.text[:0], u.Host)
	b = append(b, " - - "...)
	b = c.began.UTC().AppendFormat(b, "[02/Jan/2006:15:04:05 -0700] ")
	b = appendQuoted(b, c.method+" "+u.RequestURI()+" HTTP/1.1")
	b = appendCount(append(b, ' '), int64(c.status))
	b = appendCount(append(b, ' '), c.bytes)
	if f == FormatCombined {
		b = append(b, ` "-" "-"`...)
	}
	return b
}

// maxCalls bounds the calls that are under way. An event that ends one may be lost under load.
const maxCalls = 16_384

// calls are those under way, by their requests. The zero value has none.
type calls struct {
	skipped atomic.Int64 // calls that there was no room for

	mu   sync.Mutex // events come one at a time; health does not
	open map[request]*call
}

// request is what tells requests apart. The ids of two may be the same, since clients choose them.
type request struct {
	number uint64
	id     string
}

func requestOf(hc *hooks.Context) request { return request{hc.Exchange, hc.RequestID} }

// observe takes an event and returns the calls that have ended with it.
func (cs *calls) observe(hc *hooks.Context) []*call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if hc.Payload == nil || reflect.ValueOf(hc.Payload).IsNil() {
		return nil // an event may come without its payload
	}
	c := cs.open[requestOf(hc)]
	if c == nil {
		c = new(call) // that nobody looks at
	}
	switch e := hc.Payload.(type) {
	case *hooks.ProviderRequestPrepared:
		ended := cs.end(hc) // the one before, of which nobody told that it failed
		cs.begin(hc, e)
		return ended
	case *hooks.ProviderResponseReceived:
		c.status, c.supposed = e.Status, false
		if n, err := strconv.ParseInt(e.Header.Value("Content-Length"), 10, 64); err == nil && !e.Stream {
			c.bytes = n
		}
	case *hooks.ProviderError:
		return cs.fail(hc, c, e)
	case *hooks.ProviderStreamEnd:
		c.bytes, c.usage, c.err = e.Bytes, e.Usage, cmp.Or(c.err, e.Err)
	case *hooks.RequestCompleted:
		return cs.conclude(hc, e.Attempts, e.Usage, "")
	case *hooks.RequestFailed:
		return cs.conclude(hc, e.Attempts, e.Usage, cmp.Or(e.Err, e.ErrorType))
	}
	return nil
}

func (cs *calls) begin(hc *hooks.Context, e *hooks.ProviderRequestPrepared) {
	if len(cs.open) >= maxCalls {
		cs.skipped.Add(1)
		return
	}
	if cs.open == nil {
		cs.open = make(map[request]*call)
	}
	cs.open[requestOf(hc)] = &call{
		id: hc.RequestID, provider: hc.Provider, method: e.Method, url: e.URL, model: e.Model, attempt: e.Attempt,
		began: hc.Time,
	}
}

// fail notes that a call has failed, and ends it if another one follows. One that the same provider makes may be its
// own doing, as with another account: nothing is prepared for it then.
func (cs *calls) fail(hc *hooks.Context, c *call, e *hooks.ProviderError) []*call {
	if e.Retrying && e.Attempt == 0 {
		return nil // nobody was called
	}
	c.err, c.status = cmp.Or(e.Err, e.Type), cmp.Or(c.status, e.Status) // streams break that were answered
	c.supposed = false
	if !e.Retrying {
		return nil
	}
	ended := cs.end(hc)
	if len(ended) > 0 && e.Failover == "" {
		cs.open[requestOf(hc)] = &call{
			id: c.id, provider: c.provider, method: c.method, url: c.url, model: c.model, attempt: e.Attempt + 1,
			began: hc.Time, supposed: true,
		}
	}
	return ended
}

// conclude ends the last call of a request, which has what the request is known to have used.
func (cs *calls) conclude(hc *hooks.Context, attempts int, u *hooks.Usage, err string) []*call {
	if c := cs.open[requestOf(hc)]; c != nil {
		c.usage, c.err = cmp.Or(u, c.usage), cmp.Or(c.err, err)
		c.supposed = c.supposed && c.attempt > attempts
	}
	return cs.end(hc)
}

// end ends the call of a request that is under way.
func (cs *calls) end(hc *hooks.Context) []*call {
	c := cs.open[requestOf(hc)]
	if c == nil {
		return nil
	}
	delete(cs.open, requestOf(hc))
	if c.supposed {
		return nil
	}
	c.duration = max(hc.Time.Sub(c.began), 0)
	return []*call{c}
}
