package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// observed are the events that the plugin listens to. None of them comes with every event of a stream.
func observed() []hooks.Event {
	return []hooks.Event{
		hooks.EventRequestCompleted, hooks.EventRequestFailed,
		hooks.EventProviderResponseReceived, hooks.EventProviderError,
		hooks.EventProviderStreamStart, hooks.EventProviderStreamEnd,
		hooks.EventOAuthRefreshResponse,
	}
}

func (p *plugin) observe(_ context.Context, hc *hooks.Context) error {
	switch e := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		p.streams.leave(hc.Exchange)
		p.ended(&outcome{
			Request: &e.Request, status: e.Status, duration: e.Duration, first: e.TimeToFirstEvent,
			usage: e.Usage, upstreamModel: e.UpstreamModel,
		})
	case *hooks.RequestFailed:
		p.streams.leave(hc.Exchange)
		p.ended(&outcome{
			Request: &e.Request, status: e.Status, duration: e.Duration, first: e.TimeToFirstEvent,
			usage: e.Usage, upstreamModel: e.UpstreamModel,
			failed: true, errorType: failure(e),
		})
	case *hooks.ProviderResponseReceived:
		p.series.latency.WithLabelValues(orNone(hc.Provider)).Observe(e.Latency.Seconds())
	case *hooks.ProviderError:
		p.erred(orNone(hc.Provider), e)
	case *hooks.ProviderStreamStart:
		p.streams.begin(hc.Exchange)
	case *hooks.ProviderStreamEnd:
		p.streams.end(hc.Exchange)
		if e.Chunks > 1 {
			gap := (e.Duration - e.TimeToFirstEvent) / time.Duration(e.Chunks-1)
			p.series.gap.WithLabelValues(orNone(hc.Provider)).Observe(gap.Seconds())
		}
	case *hooks.OAuthRefreshResponse:
		result := "failure"
		if e.Success {
			result = "success"
		}
		p.series.refreshes.WithLabelValues(orNone(e.Provider), result).Inc()
	}
	return nil
}

// failure is the type of an error as its label.
func failure(e *hooks.RequestFailed) string {
	if e.ClientGone {
		return "client_gone"
	}
	return e.ErrorType
}

func (p *plugin) erred(provider string, e *hooks.ProviderError) {
	if e.Attempt > 0 { // else nobody was called
		p.series.upstream.WithLabelValues(provider, statusLabel(e.Status)).Inc()
	}
	switch {
	case e.FailoverProvider != "":
		p.series.failovers.WithLabelValues(provider, e.FailoverProvider).Inc()
	case e.Retrying:
		p.series.retries.WithLabelValues(provider).Inc()
	}
}

// outcome is a request that has ended, well or not.
type outcome struct {
	*hooks.Request

	status          int
	duration, first time.Duration
	usage           *hooks.Usage
	upstreamModel   string
	failed          bool
	errorType       string
}

func (p *plugin) ended(o *outcome) {
	answered := !o.failed && o.status < http.StatusBadRequest && o.Provider != ""
	model := p.models.label(o.Model, answered)
	endpoint, service := orNone(o.Endpoint), orNone(o.Provider)
	s := p.series
	s.requests.WithLabelValues(methodLabel(o.Method), endpoint, model, statusLabel(o.status), service).Inc()
	s.duration.WithLabelValues(model, endpoint, service).Observe(o.duration.Seconds())
	if o.first > 0 {
		s.first.WithLabelValues(model, service).Observe(o.first.Seconds())
	}
	if o.failed {
		s.errors.WithLabelValues(p.errorTypes.label(o.errorType, true), endpoint, model, service).Inc()
	}
	if o.usage != nil {
		p.used(o, model, service)
	}
}

// used counts tokens, each once: what caches gave and took is told apart from the rest of the input.
func (p *plugin) used(o *outcome, model, service string) {
	u := o.usage
	input := u.InputTokens
	if u.CacheInInput {
		input -= u.CacheReadInputTokens + u.CacheCreationInputTokens
	}
	for _, t := range [...]struct {
		kind string
		n    int64
	}{
		{"input", input},
		{"output", u.OutputTokens},
		{"cache_read", u.CacheReadInputTokens},
		{"cache_write", u.CacheCreationInputTokens},
	} {
		if t.n > 0 {
			p.series.tokens.WithLabelValues(t.kind, model, service).Add(float64(t.n))
		}
	}
	if p.prices == nil {
		return
	}
	cost, err := p.prices.Cost(u, o.upstreamModel, o.Model)
	if err != nil {
		p.series.unpriced.WithLabelValues(model, service).Inc()
		return
	}
	p.series.cost.add(model, service, cost)
}
