// Package anthropic is the codec of the Anthropic Messages dialect.
//
// Requests and answers of the dialect itself come back from canonical form as they were, but for the order of
// members, white space, and spellings that mean the same: "type":"custom" of a tool, null where a member may be left
// out, and the older output_format, which becomes output_config.format.
//
// Requests of other dialects are brought into the shape that the API insists on:
//
//   - System and developer messages at the start become the system prompt. Later ones become user text between
//     <system> tags, in place: models of several generations refuse a system role inside the conversation, and
//     moving the text to the front would change its meaning and every prompt cache behind it.
//   - Tool results that follow each other become one user message, results first, and the calls before them one
//     assistant message.
//   - max_tokens is [DefaultMaxTokens] where there is none, and 32000 for Claude 4 and later.
//   - An effort of reasoning becomes adaptive thinking with an effort for the models that know it, and a budget of
//     thinking for others. Where thinking and another wish exclude each other, the other wish is kept, but for
//     sampling parameters.
//   - Thinking goes back to the vendor only with the signature that the vendor gave.
package anthropic

import (
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// DefaultMaxTokens is the limit of an answer whose request, in a dialect that needs none, names none. Models from
// Claude 4 on, which are known to be able to, may answer with 32000: what they think counts too, and clients that
// name no limit write whole files.
const DefaultMaxTokens = 4096

// dialect is the format's name, as it stands in Source of what is decoded here.
const dialect = string(adapters.AnthropicMessages)

// Codec returns the codec of [adapters.AnthropicMessages]. It has no state.
func Codec() adapters.Codec { return codec{} }

type codec struct{}

var (
	_ adapters.Codec         = codec{}
	_ adapters.RequestCodec  = codec{}
	_ adapters.ResponseCodec = codec{}
)

// Format is Anthropic Messages.
func (codec) Format() adapters.Format { return adapters.AnthropicMessages }

// Requests is the codec itself.
func (c codec) Requests() adapters.RequestCodec { return c }

// Responses is the codec itself.
func (c codec) Responses() adapters.ResponseCodec { return c }

// DecodeStream returns a decoder for one stream.
func (codec) DecodeStream() adapters.StreamDecoder { return new(streamDecoder) }

// EncodeStream returns an encoder for the answer to a request, which may be nil.
func (codec) EncodeStream(req *canonical.Request) adapters.StreamEncoder {
	e := new(streamEncoder)
	if req != nil {
		e.model = canonical.NewToken(req.Model)
	}
	return e
}
