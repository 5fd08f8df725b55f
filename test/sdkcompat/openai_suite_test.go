package sdkcompat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// openAI is OpenAI's SDK as the client of a provider that speaks Anthropic's format.
type openAI struct {
	openai.Client

	upstream *providertest.Upstream
}

// openOpenAI starts a proxy in front of an upstream with a script. The client does not retry.
func openOpenAI(t *testing.T, script ...providertest.Reply) openAI {
	t.Helper()
	up := new(providertest.Upstream)
	proxy := startProxy(t, up)
	t.Cleanup(func() {
		if err := up.Close(); err != nil {
			t.Errorf("close upstream: %v", err)
		}
	})
	up.Enqueue(script...)
	return openAI{upstream: up, Client: openai.NewClient(
		option.WithBaseURL("http://proxy.test/claude/v1/"),
		option.WithHTTPClient(&http.Client{Transport: proxy.Transport()}),
		option.WithAPIKey("the client's own"),
		option.WithMaxRetries(0),
	)}
}

// answer is what an application sees of one call, in either of OpenAI's formats.
type answer struct {
	ID, Model, Role, Text string
	Refusal               string
	End                   string // finish_reason, or the status and why a response is incomplete
	Calls                 []functionCall
	Input, Output, Total  int64
}

type functionCall struct{ ID, Name, Arguments string }

// openAIFailure is an error as OpenAI's SDK shows it. InStream tells one that came after the status;
// Other is set if it is no error of the API.
type openAIFailure struct {
	Status                    int
	Type, Code, Message       string
	Param                     string
	RetryAfter, ShouldRetry   string
	RequestID                 string
	InStream, Canceled, Ended bool
	Other                     string
}

func openAIFailureOf(err error) openAIFailure {
	if err == nil {
		return openAIFailure{Ended: true}
	}
	if e, ok := errors.AsType[*openai.Error](err); ok {
		return openAIFailure{
			Status: e.StatusCode, Type: e.Type, Code: e.Code, Message: e.Message, Param: e.Param,
			RetryAfter:  e.Response.Header.Get("Retry-After"),
			ShouldRetry: e.Response.Header.Get("X-Should-Retry"),
			RequestID:   e.Response.Header.Get("X-Request-Id"),
		}
	}
	if e, ok := errors.AsType[*ssestream.StreamError](err); ok {
		var body struct {
			Error struct{ Type, Code, Message, Param string }
		}
		if err := json.Unmarshal(e.Event.Data, &body); err != nil {
			return openAIFailure{InStream: true, Other: string(e.Event.Data)}
		}
		return openAIFailure{
			InStream: true, Type: body.Error.Type, Code: body.Error.Code, Message: body.Error.Message,
			Param: body.Error.Param,
		}
	}
	if errors.Is(err, context.Canceled) {
		return openAIFailure{Canceled: true}
	}
	return openAIFailure{Other: err.Error()}
}

// sent decodes the latest body that the upstream was sent.
func (c openAI) sent(t *testing.T) map[string]any {
	t.Helper()
	last, ok := c.upstream.Last()
	var body map[string]any
	if err := json.Unmarshal(last.Body, &body); err != nil || !ok {
		t.Fatalf("the upstream was sent %q: %v", last.Body, err)
	}
	return body
}

// same reports a difference between what a test wants and what it got.
func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// weatherSchema is the input of the tool that the tests offer.
func weatherSchema() map[string]any {
	return map[string]any{
		"type":       "object",
		"properties": map[string]any{"request": map[string]any{"type": "string"}},
		"required":   []any{"request"},
	}
}

// stopped answers with a text that ends for the reason, whole or as a stream.
func stopped(reason string) providertest.Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Stream bool }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		const head = `{"id":"msg_end","type":"message","role":"assistant","model":"` + model + `",` +
			`"stop_sequence":null,`
		if !asked.Stream {
			providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, head+
				`"content":[{"type":"text","text":"One two"}],"stop_reason":"`+reason+`",`+
				`"usage":{"input_tokens":1,"output_tokens":2}}`)(w, r)
			return
		}
		parts := providertest.TextEvents(model, "One two")
		parts[0] = providertest.Event("message_start", `{"type":"message_start","message":`+head+
			`"content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}`)
		parts[len(parts)-2] = providertest.Event("message_delta", `{"type":"message_delta",`+
			`"delta":{"stop_reason":"`+reason+`","stop_sequence":null},"usage":{"output_tokens":2}}`)
		providertest.Stream(parts...)(w, r)
	}
}

// retryOnce lets the SDK try a second time.
func retryOnce() option.RequestOption { return option.WithMaxRetries(1) }
