package ccproxy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/errorcode"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

func jsonString(body []byte, path ...string) (string, bool) {
	raw, ok := rawjson.Find(body, path...)
	if !ok {
		return "", false
	}
	return rawjson.String(raw)
}

// jsonObject reports whether body is one valid JSON object, however it came to be.
func jsonObject(body []byte) bool {
	return json.Valid(body) && looksLikeJSON(body)
}

// jsonObjectWith reports whether body is one valid JSON object with the key.
func jsonObjectWith(body []byte, key string) bool {
	var doc rawjson.Doc
	if doc.Scan(body, rawjson.Options{}) != nil {
		return false
	}
	_, ok := doc.Raw(key)
	return ok
}

// typeOf is the error type that a client sees.
func typeOf(f adapters.Format, e adapters.ErrorInfo) string {
	return errorType(adapters.EncodeError(f, e))
}

// usageOf reads the usage of a whole answer; u is what is known so far and may be nil.
func usageOf(f adapters.Format, body []byte, u *hooks.Usage) *hooks.Usage {
	top := [...]rawjson.Wanted{{Key: "usage"}, {Key: "model"}, {Key: "service_tier"}}
	wanted := top[:]
	openAI := f == adapters.OpenAIChatCompletions || f == adapters.OpenAIResponses
	if !openAI { // the tier is in the usage
		wanted = top[:2]
	}
	rawjson.FindEach(body, wanted)
	raw, tier := top[0].Value, top[2].Value
	if len(raw) == 0 || raw[0] != '{' {
		return u
	}
	if u == nil {
		u = &hooks.Usage{}
	}
	if model, ok := rawjson.String(top[1].Value); ok {
		u.Model = model
	}
	u.CacheInInput = openAI
	switch f {
	case adapters.OpenAIChatCompletions:
		openAIUsage(u, raw, "prompt_tokens", "completion_tokens")
	case adapters.OpenAIResponses:
		openAIUsage(u, raw, "input_tokens", "output_tokens")
	default:
		tier = anthropicUsage(u, raw)
	}
	if name, ok := rawjson.String(tier); ok {
		u.ServiceTier = name
	}
	return u
}

// openAIUsage reads the usage of either API of OpenAI's, which call the same by different names.
func openAIUsage(u *hooks.Usage, raw []byte, input, output string) {
	in, out := input+"_details", output+"_details"
	all := [...]rawjson.Wanted{{Key: input}, {Key: output}, {Key: in}, {Key: out}}
	rawjson.FindEach(raw, all[:])
	setCount(&u.InputTokens, all[0].Value)
	setCount(&u.OutputTokens, all[1].Value)
	details := [...]rawjson.Wanted{{Key: "cached_tokens"}, {Key: "cache_write_tokens"}}
	rawjson.FindEach(all[2].Value, details[:])
	setCount(&u.CacheReadInputTokens, details[0].Value)
	setCount(&u.CacheCreationInputTokens, details[1].Value)
	reasoning, _ := rawjson.Find(all[3].Value, "reasoning_tokens")
	setCount(&u.ReasoningTokens, reasoning)
}

// anthropicUsage reads the usage of the API of Anthropic, and returns the service tier in it.
func anthropicUsage(u *hooks.Usage, raw []byte) (tier []byte) {
	all := [...]rawjson.Wanted{
		{Key: "input_tokens"},
		{Key: "output_tokens"},
		{Key: "cache_read_input_tokens"},
		{Key: "cache_creation_input_tokens"},
		{Key: "cache_creation"},
		{Key: "total_cost_usd"},
		{Key: "service_tier"},
	}
	rawjson.FindEach(raw, all[:])
	setCount(&u.InputTokens, all[0].Value)
	setCount(&u.OutputTokens, all[1].Value)
	setCount(&u.CacheReadInputTokens, all[2].Value)
	setCount(&u.CacheCreationInputTokens, all[3].Value)
	hour, _ := rawjson.Find(all[4].Value, "ephemeral_1h_input_tokens")
	setCount(&u.CacheCreation1hInputTokens, hour)
	setCost(&u.CostUSD, all[5].Value)
	return all[6].Value
}

// setCount takes a count over, unless there is none.
func setCount(dst *int64, raw []byte) {
	if n, ok := rawjson.Int(raw); ok && n >= 0 {
		*dst = n
	}
}

// setCost reads what a provider itself says that an answer cost. No API does, but a command-line program may.
func setCost(dst *float64, raw []byte) {
	if len(raw) == 0 {
		return
	}
	if cost, err := strconv.ParseFloat(string(raw), 64); err == nil && cost >= 0 {
		*dst = cost
	}
}

// usageOfEvent reads what one event of a stream says of usage. Until the terminal event it is partial.
func usageOfEvent(f adapters.Format, typ string, data []byte, u *hooks.Usage) *hooks.Usage {
	switch f {
	case adapters.AnthropicMessages:
		if typ == "" {
			typ, _ = jsonString(data, "type")
		}
		switch typ {
		case "message_start":
			if msg, ok := rawjson.Find(data, "message"); ok {
				u = usageOf(f, msg, u)
			}
		case "message_delta":
			u = usageOf(f, data, u)
		case "message_stop":
			return final(u)
		default:
			return u
		}
		return partial(u)
	case adapters.OpenAIChatCompletions:
		if bytes.Contains(data, []byte(`"usage"`)) {
			return partial(usageOf(f, data, u))
		}
		if string(bytes.TrimSpace(data)) == "[DONE]" {
			return final(u)
		}
	case adapters.OpenAIResponses:
		switch typ {
		case "response.completed", "response.incomplete", "response.failed":
			if resp, ok := rawjson.Find(data, "response"); ok {
				return final(usageOf(f, resp, u))
			}
		}
	}
	return u
}

func partial(u *hooks.Usage) *hooks.Usage {
	if u != nil {
		u.Partial = true
	}
	return u
}

func final(u *hooks.Usage) *hooks.Usage {
	if u != nil {
		u.Partial = false
	}
	return u
}

// firstError makes an error that comes before anything else of a stream one with a status. It is nil where the
// format has no way to tell.
func firstError(f adapters.Format, data []byte) *Error {
	if f != adapters.AnthropicMessages && f != adapters.OpenAIChatCompletions {
		return nil
	}
	msg, _ := jsonString(data, "error", "message")
	if msg == "" {
		msg = "the provider answered with an error"
	}
	typ, _ := jsonString(data, "error", "type")
	raw, _ := rawjson.Find(data, "error", "code")
	code, _ := rawjson.String(raw)
	status := errorcode.Status(raw)
	if status > 0 {
		code = strconv.Itoa(status)
	}
	status = cmp.Or(status, errorcode.Named(code), errorcode.Named(typ), http.StatusBadGateway)
	return &Error{Status: status, Type: typ, Code: code, Message: msg}
}

const statusOverloaded = errorcode.Overloaded

// lastBytes keeps the end of what is written: that is where answers have their usage.
type lastBytes struct{ kept []byte }

func (l *lastBytes) Write(p []byte) (int, error) {
	const most = 16 << 10
	n := len(p)
	p = p[max(n-most, 0):]
	if over := len(l.kept) + len(p) - most; over > 0 {
		l.kept = slices.Delete(l.kept, 0, over)
	}
	l.kept = append(l.kept, p...)
	return n, nil
}

// usageAtEnd finds the usage in the end of an answer, nil where there is none.
func usageAtEnd(f adapters.Format, end []byte) *hooks.Usage {
	name := []byte(`"usage"`)
	i := bytes.LastIndex(end, name)
	if i < 0 || i > 0 && end[i-1] == '\\' { // in a text
		return nil
	}
	return usageOf(f, append([]byte{'{'}, end[i:]...), nil)
}

// eventName is string(name) without an allocation for the events that make up streams.
func eventName(name []byte) string {
	switch string(name) {
	case "":
		return ""
	case "content_block_delta":
		return "content_block_delta"
	case "content_block_start":
		return "content_block_start"
	case "content_block_stop":
		return "content_block_stop"
	case "ping":
		return "ping"
	case "response.output_text.delta":
		return "response.output_text.delta"
	case "response.function_call_arguments.delta":
		return "response.function_call_arguments.delta"
	case "response.reasoning_summary_text.delta":
		return "response.reasoning_summary_text.delta"
	}
	return string(name)
}
