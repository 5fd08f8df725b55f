package adapters

import (
	"cmp"
	"iter"
)

// Format names a wire format. Applications and plugins may define their own besides the three below.
type Format string

// The formats that clients and upstreams commonly speak.
const (
	AnthropicMessages     Format = "anthropic.messages"
	OpenAIChatCompletions Format = "openai.chat_completions"
	OpenAIResponses       Format = "openai.responses"
)

// FormatPair is a direction of conversion: values in format From become values in format To.
type FormatPair struct {
	From Format `json:"from"`
	To   Format `json:"to"`
}

// String gives "from->to".
func (p FormatPair) String() string { return string(p.From) + "->" + string(p.To) }

// Reverse gives the pair of the way back.
func (p FormatPair) Reverse() FormatPair { return FormatPair{From: p.To, To: p.From} }

// comparePairs orders pairs by From, then To.
func comparePairs(a, b FormatPair) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}

// Event is one event of a stream: the name from its "event:" line, empty if there was none, and its data
// without the "data:" prefix. Data belongs to the producer and is valid until the next event is pulled.
type Event struct {
	Type string
	Data []byte
}

// Stream is a lazily pulled sequence of events. A pair with an error is the last one; its Event is zero.
type Stream = iter.Seq2[Event, error]
