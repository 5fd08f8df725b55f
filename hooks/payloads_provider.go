package hooks

import (
	"slices"
	"time"
)

// ProviderRequestPrepared is the payload of [EventProviderRequestPrepared]: what observers see of a request
// that mutators have finished with, before credentials are added.
type ProviderRequestPrepared struct {
	Method      string
	URL         string // see SafeURL
	Endpoint    string
	Model       string // as sent upstream
	ClientModel string // as the client asked for it
	Stream      bool
	Header      Header
	BodyBytes   int64
	Body        string // a copy; built only when the event is enabled
	// Losses are the paths of what the provider's format had no place for, if the request was converted. A very long
	// list ends with "…".
	Losses []string
	// Attempt numbers the calls of upstreams for one request, from 1.
	Attempt int
}

// ProviderRequestSent is the payload of [EventProviderRequestSent].
type ProviderRequestSent struct {
	Method    string
	URL       string // see SafeURL
	Endpoint  string
	Model     string
	Stream    bool
	BodyBytes int64
}

// ProviderResponseReceived is the payload of [EventProviderResponseReceived]: the upstream's status and
// header are there, the body may still be on its way.
type ProviderResponseReceived struct {
	Status  int
	Header  Header
	Stream  bool
	Latency time.Duration // from sending the request to the header
	Attempt int           // as in ProviderRequestPrepared
}

// ProviderError is the payload of [EventProviderError]: a call of a provider has failed, or could not be made. That a
// client has left, a hook has refused the request or the proxy stops is nothing that a provider has failed at.
type ProviderError struct {
	// Status is the upstream's: that of the error in a stream where it names one, else that of the response. Zero if
	// no response came.
	Status  int
	Type    string
	Err     string // redacted text
	Latency time.Duration
	Attempt int // as in ProviderRequestPrepared; zero if the upstream was not called
	// Retrying tells that the request is tried again: by Failover if that is set, else by the same provider.
	Retrying bool
	// Failover is the target that is tried next, such as "openai/gpt-5"; else empty. FailoverProvider is its provider:
	// names of providers and models may both have slashes.
	Failover         string
	FailoverProvider string
}

// ProviderStreamStart is the payload of [EventProviderStreamStart].
type ProviderStreamStart struct {
	URL      string // see SafeURL
	Endpoint string
	Model    string
	Header   Header
}

// ProviderStreamChunk is the payload of [EventProviderStreamChunk]: one whole event of an upstream's stream.
// Under load chunks are dropped before anything else.
type ProviderStreamChunk struct {
	Number    int64 // from 1; a gap tells of dropped chunks
	EventType string
	Chunk     string // a copy of the raw event
}

// ProviderStreamEnd is the payload of [EventProviderStreamEnd]. It comes exactly once for each
// [ProviderStreamStart], however the stream ended.
type ProviderStreamEnd struct {
	Chunks           int64
	Bytes            int64
	Duration         time.Duration
	TimeToFirstEvent time.Duration
	Usage            *Usage // nil if unknown
	Err              string // redacted text, empty if the stream was well
	Complete         bool   // the format's terminal event was seen
}

// Event returns [EventProviderRequestPrepared].
func (*ProviderRequestPrepared) Event() Event { return EventProviderRequestPrepared }

func (p *ProviderRequestPrepared) clone() Payload {
	if p == nil {
		return nil
	}
	c := *p
	c.Losses = slices.Clone(p.Losses)
	return &c
}

func (p *ProviderRequestPrepared) weight() int {
	if p == nil {
		return 0
	}
	return len(p.Body)
}

// Event returns [EventProviderRequestSent].
func (*ProviderRequestSent) Event() Event     { return EventProviderRequestSent }
func (p *ProviderRequestSent) clone() Payload { return copyOf(p) }

// Event returns [EventProviderResponseReceived].
func (*ProviderResponseReceived) Event() Event     { return EventProviderResponseReceived }
func (p *ProviderResponseReceived) clone() Payload { return copyOf(p) }

// Event returns [EventProviderError].
func (*ProviderError) Event() Event     { return EventProviderError }
func (p *ProviderError) clone() Payload { return copyOf(p) }

// Event returns [EventProviderStreamStart].
func (*ProviderStreamStart) Event() Event     { return EventProviderStreamStart }
func (p *ProviderStreamStart) clone() Payload { return copyOf(p) }

// Event returns [EventProviderStreamChunk].
func (*ProviderStreamChunk) Event() Event     { return EventProviderStreamChunk }
func (p *ProviderStreamChunk) clone() Payload { return copyOf(p) }
func (p *ProviderStreamChunk) weight() int {
	if p == nil {
		return 0
	}
	return len(p.Chunk)
}

// Event returns [EventProviderStreamEnd].
func (*ProviderStreamEnd) Event() Event { return EventProviderStreamEnd }

func (p *ProviderStreamEnd) clone() Payload {
	if p == nil {
		return nil
	}
	c := *p
	c.Usage = p.Usage.clone()
	return &c
}
