package hooks

import (
	"slices"
	"time"
)

// Request says which client request an event is about. Everything secret is left out or redacted.
type Request struct {
	ID           string
	Method       string
	Path         string
	Query        string // redacted, see SafeQuery
	Endpoint     string // the route's template, fit for a metric's label
	ClientIP     string
	UserAgent    string
	CallerID     string // who calls, as far as authentication said
	Header       Header
	BodyBytes    int64
	ClientFormat string // the dialect the client speaks
	Model        string
	Provider     string
	Session      string
	Stream       bool
}

// RequestStarted is the payload of [EventRequestStarted].
type RequestStarted struct{ Request }

// RequestCompleted is the payload of [EventRequestCompleted].
type RequestCompleted struct {
	Request
	Status          int
	ResponseHeader  Header
	ResponseBytes   int64
	Duration        time.Duration
	TimeToFirstByte time.Duration
	// TimeToFirstEvent is when the client was sent the first event of its stream that is the provider's, zero for what
	// is no stream. The first byte may be that of a comment or a keep-alive before.
	TimeToFirstEvent time.Duration
	Usage            *Usage // nil if unknown
	Streamed         bool
	// Losses are the paths of what the other format had no place for, in a call that was converted: those of the
	// request, and after "response." those of the answer. A very long list ends with "…".
	Losses []string
	// Operation is what was asked for, such as "generate"; empty for what is no call of a provider.
	Operation string
	// UpstreamModel is the model that the provider was asked for, where Model is what the client wrote.
	UpstreamModel string
	// Attempts is how often an upstream was called, retries and fallbacks included; zero if nobody was.
	Attempts int
	// Account names the credential of the last attempt, where a provider has several; else empty. It is never secret.
	Account string
}

// RequestFailed is the payload of [EventRequestFailed].
type RequestFailed struct {
	Request
	Status        int    // what the client was told, zero if nothing
	Err           string // redacted text
	ErrorType     string
	ClientGone    bool // the client went away; nothing else failed
	Duration      time.Duration
	ResponseBytes int64
	Usage         *Usage // nil if unknown
	Streamed      bool
	Losses        []string // as in RequestCompleted

	TimeToFirstByte  time.Duration // zero if the client was sent none
	TimeToFirstEvent time.Duration // these five as in RequestCompleted
	Operation        string
	UpstreamModel    string
	Attempts         int
	Account          string
}

// Event returns [EventRequestStarted].
func (*RequestStarted) Event() Event     { return EventRequestStarted }
func (p *RequestStarted) clone() Payload { return copyOf(p) }

// Event returns [EventRequestCompleted].
func (*RequestCompleted) Event() Event { return EventRequestCompleted }

func (p *RequestCompleted) clone() Payload {
	if p == nil {
		return nil
	}
	if p.Usage == nil {
		c := *p
		c.Losses = slices.Clone(p.Losses)
		return &c
	}
	// One piece of memory for both, since this is made for every observer of every request.
	c := &struct {
		RequestCompleted
		usage Usage
	}{*p, *p.Usage}
	c.Usage, c.Losses = &c.usage, slices.Clone(p.Losses)
	return &c.RequestCompleted
}

// Event returns [EventRequestFailed].
func (*RequestFailed) Event() Event { return EventRequestFailed }

func (p *RequestFailed) clone() Payload {
	if p == nil {
		return nil
	}
	c := *p
	c.Usage, c.Losses = p.Usage.clone(), slices.Clone(p.Losses)
	return &c
}
