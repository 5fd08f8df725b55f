package otel

import (
	"encoding/json"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// Bounds of what clients write into attributes. What is longer is left out as a whole.
const (
	maxStops      = 16       // sequences that stop a model
	maxStop       = 64       // bytes of one
	maxTier       = 32       // bytes of a service tier
	maxMember     = 4 << 10  // bytes of JSON of a member that is read
	maxFormatting = 64 << 10 // likewise of one that may hold a schema, of which only the type is read
)

// parameter is a top-level member of a request's body and its attribute.
type parameter struct {
	member string
	read   func(json.RawMessage) (attribute.KeyValue, bool)
}

// sampling are the parameters that all dialects have.
func sampling() []parameter {
	return []parameter{{"temperature", float(keyTemperature)}, {"top_p", float(keyTopP)}}
}

// parametersOf are the parameters of a dialect; a later one beats an earlier one of the same attribute.
func parametersOf(format string) []parameter {
	switch adapters.Format(format) {
	case adapters.AnthropicMessages:
		return append(sampling(), parameter{"max_tokens", whole(keyMaxTokens)}, parameter{"top_k", float(keyTopK)},
			parameter{"stop_sequences", stops}, parameter{"output_config", outputType})
	case adapters.OpenAIChatCompletions:
		return append(sampling(), parameter{"max_tokens", whole(keyMaxTokens)},
			parameter{"max_completion_tokens", whole(keyMaxTokens)}, parameter{"top_k", float(keyTopK)},
			parameter{"stop", stops}, parameter{"frequency_penalty", float(keyFrequencyPenalty)},
			parameter{"presence_penalty", float(keyPresencePenalty)}, parameter{"seed", whole(keySeed)},
			parameter{"n", choices}, parameter{"response_format", outputType}, parameter{"service_tier", tier})
	case adapters.OpenAIResponses:
		return append(sampling(), parameter{"max_output_tokens", whole(keyMaxTokens)},
			parameter{"text", outputType}, parameter{"service_tier", tier})
	}
	return nil
}

// parameters are what a request sets, as its upstream is sent it. Its messages are passed over and not copied.
func parameters(req *hooks.PreparedRequest, provider string) (attrs []attribute.KeyValue) {
	for _, p := range parametersOf(req.Format) {
		if p.member == "service_tier" && provider != "openai" {
			continue // the convention has it for OpenAI alone
		}
		raw, ok := req.Member(p.member)
		if !ok || string(raw) == "null" {
			continue
		}
		if kv, ok := p.read(raw); ok {
			attrs = append(attrs, kv)
		}
	}
	return attrs
}

// value reads a member, unless it is longer than a limit or of another type.
func value[T any](raw json.RawMessage, limit int) (v T, ok bool) {
	if len(raw) > limit {
		return v, false
	}
	err := json.Unmarshal(raw, &v)
	return v, err == nil
}

func float(key attribute.Key) func(json.RawMessage) (attribute.KeyValue, bool) {
	return func(raw json.RawMessage) (attribute.KeyValue, bool) {
		v, ok := value[float64](raw, maxMember)
		return key.Float64(v), ok
	}
}

func whole(key attribute.Key) func(json.RawMessage) (attribute.KeyValue, bool) {
	return func(raw json.RawMessage) (attribute.KeyValue, bool) {
		v, ok := value[int64](raw, maxMember)
		return key.Int64(v), ok
	}
}

// choices leaves out 1, as the convention wants it.
func choices(raw json.RawMessage) (attribute.KeyValue, bool) {
	v, ok := value[int64](raw, maxMember)
	return keyChoiceCount.Int64(v), ok && v != 1
}

// stops takes a list, or the single text that Chat Completions may have.
func stops(raw json.RawMessage) (attribute.KeyValue, bool) {
	list, ok := value[[]string](raw, maxMember)
	if !ok {
		var one string
		one, ok = value[string](raw, maxMember)
		list = []string{one}
	}
	if !ok || len(list) > maxStops {
		return attribute.KeyValue{}, false
	}
	for _, s := range list {
		if len(s) > maxStop {
			return attribute.KeyValue{}, false
		}
	}
	return keyStopSequences.StringSlice(list), true
}

func tier(raw json.RawMessage) (attribute.KeyValue, bool) {
	v, ok := value[string](raw, maxMember)
	return keyServiceTier.String(strings.ToValidUTF8(v, "?")), ok && v != "" && len(v) <= maxTier
}

// outputType is text or JSON, as the type of a format says, be it the member itself or one in it.
func outputType(raw json.RawMessage) (attribute.KeyValue, bool) {
	v, ok := value[struct {
		Type   string
		Format struct{ Type string }
	}](raw, maxFormatting)
	if !ok {
		return attribute.KeyValue{}, false
	}
	switch orElse(v.Format.Type, v.Type) {
	case "json_schema", "json_object":
		return keyOutputType.String("json"), true
	case "text":
		return keyOutputType.String("text"), true
	}
	return attribute.KeyValue{}, false
}
