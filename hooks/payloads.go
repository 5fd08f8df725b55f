package hooks

// Payload is what an event tells: a pointer to one of the payload structs of this package. The set is closed;
// plugins that need a payload of their own send a [Custom].
type Payload interface {
	// Event is the event the payload belongs to. It answers for a nil pointer too.
	Event() Event
	// clone returns a copy that shares nothing mutable with the original, nil for a nil pointer.
	clone() Payload
}

// bulky is a payload that holds text of any length. A queue is bounded by that length too, not by number
// alone.
type bulky interface{ weight() int }

// weightOf is the length of the text in a payload, zero for one that has only short fields.
func weightOf(p Payload) int {
	if b, ok := p.(bulky); ok {
		return b.weight()
	}
	return 0
}

// copyOf is clone for the payloads whose fields are all values.
func copyOf[P interface {
	*T
	Payload
}, T any](p P) Payload {
	if p == nil {
		return nil
	}
	c := *p
	return P(&c)
}

// Usage is what a model call consumed, as far as the upstream said it.
type Usage struct {
	InputTokens              int64
	OutputTokens             int64
	CacheReadInputTokens     int64
	CacheCreationInputTokens int64
	// CacheCreation1hInputTokens are those of CacheCreationInputTokens that are kept for an hour, which cost more.
	CacheCreation1hInputTokens int64
	ReasoningTokens            int64
	CostUSD                    float64 // as the provider says itself; zero if it does not
	Model                      string
	Partial                    bool // the stream ended before its final figures
	// CacheInInput tells that InputTokens count CacheReadInputTokens and CacheCreationInputTokens too, as OpenAI does;
	// otherwise these come on top, as with Anthropic.
	CacheInInput bool
	// ServiceTier is how the upstream says that it treated the request, such as "standard", "priority" or "flex";
	// empty if it does not say.
	ServiceTier string
}

func (u *Usage) clone() *Usage {
	if u == nil {
		return nil
	}
	c := *u
	return &c
}

// Custom is the payload of [EventCustom].
type Custom struct {
	Name string // "<plugin>.<what>"
	// Data reaches every observer as it is, uncopied: a sender passes a value that nobody changes any more.
	Data any
}

// Event returns [EventCustom].
func (*Custom) Event() Event     { return EventCustom }
func (p *Custom) clone() Payload { return copyOf(p) }
