package otel

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// The names of attributes in the conventions for generative AI, which are still being developed, and of those for HTTP.
// They are written out here, so that they change when this module does and not with OpenTelemetry's.
const (
	keyOperation        = attribute.Key("gen_ai.operation.name")
	keyProvider         = attribute.Key("gen_ai.provider.name")
	keyRequestModel     = attribute.Key("gen_ai.request.model")
	keyRequestStream    = attribute.Key("gen_ai.request.stream")
	keyMaxTokens        = attribute.Key("gen_ai.request.max_tokens")
	keyTemperature      = attribute.Key("gen_ai.request.temperature")
	keyTopP             = attribute.Key("gen_ai.request.top_p")
	keyTopK             = attribute.Key("gen_ai.request.top_k")
	keyStopSequences    = attribute.Key("gen_ai.request.stop_sequences")
	keySeed             = attribute.Key("gen_ai.request.seed")
	keyChoiceCount      = attribute.Key("gen_ai.request.choice.count")
	keyOutputType       = attribute.Key("gen_ai.output.type")
	keyServiceTier      = attribute.Key("openai.request.service_tier")
	keyFrequencyPenalty = attribute.Key("gen_ai.request.frequency_penalty")
	keyPresencePenalty  = attribute.Key("gen_ai.request.presence_penalty")
	keyConversation     = attribute.Key("gen_ai.conversation.id")
	keyResponseModel    = attribute.Key("gen_ai.response.model")
	keyFirstChunk       = attribute.Key("gen_ai.response.time_to_first_chunk")
	keyInputTokens      = attribute.Key("gen_ai.usage.input_tokens")
	keyOutputTokens     = attribute.Key("gen_ai.usage.output_tokens")
	keyCacheRead        = attribute.Key("gen_ai.usage.cache_read.input_tokens")
	keyCacheCreation    = attribute.Key("gen_ai.usage.cache_creation.input_tokens")
	keyReasoning        = attribute.Key("gen_ai.usage.reasoning.output_tokens")
	keyTokenType        = attribute.Key("gen_ai.token.type")
	keyInputMessages    = attribute.Key("gen_ai.input.messages")
	keyOutputMessages   = attribute.Key("gen_ai.output.messages")
	keyErrorType        = attribute.Key("error.type")
	keyServerAddress    = attribute.Key("server.address")
	keyServerPort       = attribute.Key("server.port")
	keyMethod           = attribute.Key("http.request.method")
	keyStatus           = attribute.Key("http.response.status_code")
	keyRoute            = attribute.Key("http.route")
	keyResend           = attribute.Key("http.request.resend_count")
	keyPath             = attribute.Key("url.path")
	keyScheme           = attribute.Key("url.scheme")
	keyUserAgent        = attribute.Key("user_agent.original")
	keyClientAddress    = attribute.Key("client.address")
	keyRequestID        = attribute.Key("ccproxy.request.id")
	keyUpstream         = attribute.Key("ccproxy.provider")
	keyAttempts         = attribute.Key("ccproxy.attempts")
	keyCaller           = attribute.Key("ccproxy.caller")
	keyUsageIncomplete  = attribute.Key("ccproxy.usage.partial")
)

// operationName is the convention's name of what was asked for.
func operationName(op string) string {
	switch op {
	case "generate", "":
		return "chat"
	default:
		return op
	}
}

const vertex = "aiplatform.googleapis.com"

// providerName is the convention's name of who is asked: by the host, else by the dialect that is spoken.
func providerName(host, format, provider string) string {
	if host == vertex || strings.HasSuffix(host, "-"+vertex) { // after the name of a region
		return "gcp.vertex_ai"
	}
	for _, known := range [...]struct{ host, name string }{
		{"anthropic.com", "anthropic"},
		{"openai.azure.com", "azure.ai.openai"},
		{"openai.com", "openai"},
		{"chatgpt.com", "openai"},
		{"googleapis.com", "gcp.gemini"},
		{"amazonaws.com", "aws.bedrock"},
		{"groq.com", "groq"},
		{"mistral.ai", "mistral_ai"},
		{"deepseek.com", "deepseek"},
		{"x.ai", "x_ai"},
		{"perplexity.ai", "perplexity"},
		{"cohere.com", "cohere"},
	} {
		if host == known.host || strings.HasSuffix(host, "."+known.host) {
			return known.name
		}
	}
	switch adapters.Format(format) {
	case adapters.AnthropicMessages:
		return "anthropic"
	case adapters.OpenAIChatCompletions, adapters.OpenAIResponses:
		return "openai"
	}
	return orElse(provider, "_OTHER")
}

// serverOf is where a URL leads to.
func serverOf(address string) (host string, port int) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", 0
	}
	port, _ = strconv.Atoi(u.Port()) // none is zero
	if port == 0 && u.Scheme == "https" {
		port = 443
	} else if port == 0 {
		port = 80
	}
	return u.Hostname(), port
}

// methodOf is a method as the conventions want it: clients may make up any.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
}
