package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// What a Chat Completions request says in words because the dialect has no member for it.
const (
	// ToolErrorMarker begins the text of a tool's result that is an error.
	ToolErrorMarker = "[tool error] "
	// ToolImageMarker begins the text before an image that a tool returned; the id of the call and "]" follow.
	ToolImageMarker = "[image returned by tool call "
	// ToolImageNotice is the text of a result that consists of images alone.
	ToolImageNotice = "[the result is in the next user message]"
)

// maxChatID is the longest id of a tool call that OpenAI takes.
const maxChatID = 40

// chatSource names the dialect in the neutral model.
const chatSource = string(adapters.OpenAIChatCompletions)

// Chat returns the codec of [adapters.OpenAIChatCompletions]. The package comment says how it writes what the
// dialect has no place for.
func Chat() adapters.Codec { return chatCodec{} }

type chatCodec struct{}

var (
	_ adapters.RequestCodec  = chatCodec{}
	_ adapters.ResponseCodec = chatCodec{}
)

func (chatCodec) Format() adapters.Format             { return adapters.OpenAIChatCompletions }
func (c chatCodec) Requests() adapters.RequestCodec   { return c }
func (c chatCodec) Responses() adapters.ResponseCodec { return c }

func (chatCodec) DecodeError(body []byte) (*canonical.Error, error) { return decodeError(body), nil }
func (chatCodec) EncodeError(e *canonical.Error) []byte             { return encodeError(e) }

func (chatCodec) DecodeStream() adapters.StreamDecoder { return &chatStreamDecoder{} }

func (chatCodec) EncodeStream(req *canonical.Request) adapters.StreamEncoder {
	return newChatStreamEncoder(req)
}
