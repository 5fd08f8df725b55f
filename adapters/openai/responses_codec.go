package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// Responses returns the codec of [adapters.OpenAIResponses].
func Responses() adapters.Codec { return responsesCodec{} }

// responsesCodec is the codec of the Responses API. It has no state: what a stream needs to remember is in
// its decoder or encoder.
type responsesCodec struct{}

var (
	_ adapters.RequestCodec  = responsesCodec{}
	_ adapters.ResponseCodec = responsesCodec{}
)

// Format is openai.responses.
func (responsesCodec) Format() adapters.Format { return adapters.OpenAIResponses }

// Requests is the codec itself.
func (c responsesCodec) Requests() adapters.RequestCodec { return c }

// Responses is the codec itself.
func (c responsesCodec) Responses() adapters.ResponseCodec { return c }

// DecodeStream returns a decoder that has seen nothing yet.
func (responsesCodec) DecodeStream() adapters.StreamDecoder { return &responsesStreamDecoder{} }

// EncodeStream returns an encoder that repeats what req said; req may be nil.
func (responsesCodec) EncodeStream(req *canonical.Request) adapters.StreamEncoder {
	return &responsesStreamEncoder{req: req}
}

// ownDialect is what the sources of values of this dialect are called.
const (
	ownDialect  = string(adapters.OpenAIResponses)
	chatDialect = string(adapters.OpenAIChatCompletions)
)

// idPrefix are the kinds of ids of the dialect, in front of what tells one from another.
const (
	prefixResponse  = "resp_"
	prefixMessage   = "msg_"
	prefixCall      = "fc_"
	prefixCustom    = "ctc_"
	prefixReasoning = "rs_"
)
