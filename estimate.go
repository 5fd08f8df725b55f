package ccproxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// estimatedHeader tells a client that a figure is an estimate of the proxy's, and which.
const estimatedHeader = "X-CCProxy-Estimated"

// The figures of an estimate. They are those of no single tokenizer, and rather too high than too low: clients count
// in order to stay below a limit.
const (
	bytesPerTextToken = 4    // of ASCII
	bytesPerJSONToken = 3    // of schemas and arguments, which are short words and punctuation
	tokensPerMessage  = 4    // for what tells one message from the next
	tokensPerTool     = 12   // for what stands around a tool
	tokensPerImage    = 1600 // the most that Anthropic takes for an image that it does not shrink
	documentPiece     = 64 << 10
)

// estimate answers a request for the number of its tokens, for a provider that does not count them.
func (p *pipeline) estimate(call *Call) (*Answer, error) {
	codec, ok := p.proxy.formats.Codec(p.format)
	if !ok {
		return nil, ErrUnsupported
	}
	req, err := codec.Requests().DecodeRequest(call.Body)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), adapters.ErrInvalidInput.Error()+": ")
		param, _, _ := strings.Cut(text, ": ")
		return nil, badRequest(param, "%s", text)
	}
	body := fmt.Appendf(nil, `{"input_tokens":%d}`, estimateTokens(req))
	return &Answer{
		Status: http.StatusOK, Format: p.format, Body: io.NopCloser(bytes.NewReader(body)), estimated: true,
		Header: http.Header{
			"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(body))},
			http.CanonicalHeaderKey(estimatedHeader): {"tokens"},
		},
	}, nil
}

// estimateTokens is about how many tokens a model reads of a request.
func estimateTokens(req *canonical.Request) int {
	n := 0
	for i := range req.Messages {
		n += tokensPerMessage + partTokens(req.Messages[i].Parts)
	}
	for i := range req.Tools {
		t := &req.Tools[i]
		n += tokensPerTool + textTokens(t.Name) + textTokens(t.Description) + jsonTokens(t.Schema) +
			jsonTokens(t.Grammar) + jsonTokens(t.Raw)
	}
	if req.Format != nil {
		n += jsonTokens(req.Format.Schema)
	}
	return max(n, 1)
}

func partTokens(parts []canonical.Part) int {
	n := 0
	for i := range parts {
		n += onePartTokens(&parts[i])
	}
	return n
}

func onePartTokens(part *canonical.Part) int {
	switch part.Kind {
	case canonical.PartImage:
		return tokensPerImage
	case canonical.PartDocument, canonical.PartAudio:
		return mediaTokens(part.Media)
	case canonical.PartRedacted: // which no other provider reads
		return 0
	case canonical.PartToolCall:
		if part.Call == nil {
			return 0
		}
		return tokensPerTool + textTokens(part.Call.Name) + jsonTokens(part.Call.Args.Object) +
			textTokens(part.Call.Args.String)
	case canonical.PartToolResult:
		if part.Result == nil {
			return 0
		}
		return tokensPerTool + partTokens(part.Result.Parts)
	case canonical.PartOpaque:
		return jsonTokens(part.Raw)
	default:
		n := textTokens(part.Text)
		for _, s := range part.Summary {
			n += textTokens(s)
		}
		return n
	}
}

// mediaTokens counts a document by its text, or by its size: a page or two for each piece.
func mediaTokens(m *canonical.Media) int {
	if m == nil {
		return 0
	}
	return tokensPerImage*((len(m.Data)+documentPiece-1)/documentPiece) + textTokens(m.Text) +
		tokensPerImage*min(len(m.URL)+len(m.FileID), 1)
}

// textTokens counts a text: words of ASCII by their bytes, letters of other alphabets by two, and what is written in
// larger signs, such as Chinese, one by one.
func textTokens(t canonical.Token) int {
	ascii, halves := 0, 0
	for _, r := range t.String() {
		switch {
		case r < utf8.RuneSelf:
			ascii++
		case r < 0x800: // two bytes in UTF-8: alphabets
			halves++
		default:
			halves += 2
		}
	}
	return (ascii+bytesPerTextToken-1)/bytesPerTextToken + (halves+1)/2
}

func jsonTokens(raw canonical.Raw) int { return (len(raw) + bytesPerJSONToken - 1) / bytesPerJSONToken }
