package sdkcompat

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// calls are all four ways to call, for what goes wrong in all of them alike.
func calls() map[string]func(context.Context, openAI) error {
	list := make(map[string]func(context.Context, openAI) error)
	for name, call := range chats() {
		list["chat "+name] = func(ctx context.Context, c openAI) error {
			_, err := call(ctx, c, ask(openai.UserMessage("Hi")))
			return err
		}
	}
	for name, call := range responds() {
		list["responses "+name] = func(ctx context.Context, c openAI) error {
			_, _, err := call(ctx, c, input("Hi"))
			return err
		}
	}
	return list
}

func TestOpenAIErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		typ    string
		want   openAIFailure
	}{
		{400, "invalid_request_error", openAIFailure{
			Status: 400, Type: "invalid_request_error", Message: "the <reason>",
		}},
		{400, "invalid_request_error", openAIFailure{
			Status: 400, Type: "invalid_request_error", Code: "context_length_exceeded",
			Message: "prompt is too long: 200001 tokens > 200000 maximum",
		}},
		{401, "authentication_error", openAIFailure{Status: 401, Type: "authentication_error", Message: "no key"}},
		{403, "permission_error", openAIFailure{Status: 403, Type: "permission_error", Message: "not you"}},
		{404, "not_found_error", openAIFailure{Status: 404, Type: "invalid_request_error", Message: "model: gone"}},
		{413, "request_too_large", openAIFailure{Status: 413, Type: "invalid_request_error", Message: "too large"}},
		{429, "rate_limit_error", openAIFailure{
			Status: 429, Type: "rate_limit_error", Message: "Slow down", RetryAfter: "17",
		}},
		{500, "api_error", openAIFailure{Status: 500, Type: "server_error", Message: "Internal server error"}},
		{529, "overloaded_error", openAIFailure{
			Status: 503, Type: "server_error", Message: "Overloaded", RetryAfter: "3", ShouldRetry: "true",
		}},
	} {
		for name, call := range calls() {
			t.Run(strconv.Itoa(test.status)+" "+test.want.Code+"/"+name, func(t *testing.T) {
				t.Parallel()
				header := make(http.Header)
				if test.want.RetryAfter != "" {
					header.Set("Retry-After", test.want.RetryAfter)
				}
				if test.want.ShouldRetry != "" {
					header.Set("X-Should-Retry", test.want.ShouldRetry)
				}
				c := openOpenAI(t, providertest.Error(test.status, test.typ, test.want.Message, header))
				got := openAIFailureOf(call(t.Context(), c))
				if got.RequestID == "" {
					t.Error("nothing to quote to an operator")
				}
				want := test.want
				want.RequestID = got.RequestID
				same(t, "failure", want, got)
			})
		}
	}
}

// The SDK tries again by itself where the status or a header tells it to.
func TestOpenAIRetries(t *testing.T) {
	t.Parallel()
	for name, call := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openOpenAI(t,
				providertest.Error(529, "overloaded_error", "Overloaded", http.Header{"Retry-After-Ms": {"1"}}),
				providertest.Message("done"))
			c.Client = openai.NewClient(append(c.Options, retryOnce())...)
			if err := call(t.Context(), c); err != nil {
				t.Errorf("failure %+v", openAIFailureOf(err))
			}
			if n := len(c.upstream.Requests()); n != 2 {
				t.Errorf("the upstream saw %d requests", n)
			}
		})
	}
}

func TestChatBrokenStreams(t *testing.T) {
	t.Parallel()
	for name, test := range brokenStreams() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openOpenAI(t, providertest.Stream(test.parts...))
			_, err := chatStream(t.Context(), c, ask(openai.UserMessage("Hi")))
			same(t, "failure", openAIFailure{
				InStream: true, Type: "server_error", Message: test.message,
			}, openAIFailureOf(err))
		})
	}
}

func TestResponsesBrokenStreams(t *testing.T) {
	t.Parallel()
	for name, test := range brokenStreams() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openOpenAI(t, providertest.Stream(test.parts...))
			r, types, err := respondStream(t.Context(), c, input("Hi"))
			if err != nil {
				t.Fatalf("after %v: %v", types, err)
			}
			got := [3]string{string(r.Status), string(r.Error.Code), r.Error.Message}
			same(t, "response", [3]string{"failed", test.code, test.message}, got)
		})
	}
}

type brokenStream struct {
	parts         []providertest.Part
	code, message string // the code is Responses' own: Chat Completions has none for these
}

// brokenStreams end in the middle of a text.
func brokenStreams() map[string]brokenStream {
	begun := func(end ...providertest.Part) []providertest.Part {
		return append(providertest.TextEvents(model, "One two")[:4:4], end...)
	}
	const brokeOff = "the provider's stream broke off"
	return map[string]brokenStream{
		"error event": {
			begun(providertest.ErrorEvent("overloaded_error", "Overloaded")),
			"server_is_overloaded", "Overloaded",
		},
		"cut":         {begun(providertest.Cut()), "server_error", brokeOff},
		"reset":       {begun(providertest.Reset()), "server_error", brokeOff},
		"ended early": {begun(), "server_error", brokeOff},
	}
}

func TestOpenAICancel(t *testing.T) {
	t.Parallel()
	for name, call := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := openOpenAI(t, func(w http.ResponseWriter, r *http.Request) {
				cancel()
				providertest.Stall(nil, nil)(w, r)
			})
			same(t, "failure", openAIFailure{Canceled: true}, openAIFailureOf(call(ctx, c)))
			c.awaitCanceled(t)
		})
	}
}

func TestOpenAICancelInStream(t *testing.T) {
	t.Parallel()
	held := func() providertest.Reply {
		begun := providertest.TextEvents(model, "One two")[:4:4]
		return providertest.Stream(append(begun, providertest.Gate(nil))...)
	}
	t.Run("chat", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := openOpenAI(t, held())
		stream := c.Chat.Completions.NewStreaming(ctx, ask(openai.UserMessage("Hi")))
		for stream.Next() {
			if ch := stream.Current().Choices; len(ch) > 0 && ch[0].Delta.Content != "" {
				cancel()
			}
		}
		same(t, "failure", openAIFailure{Canceled: true}, openAIFailureOf(stream.Err()))
		c.awaitCanceled(t)
	})
	t.Run("responses", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := openOpenAI(t, held())
		stream := c.Responses.NewStreaming(ctx, input("Hi"))
		for stream.Next() {
			if stream.Current().Type == "response.output_text.delta" {
				cancel()
			}
		}
		same(t, "failure", openAIFailure{Canceled: true}, openAIFailureOf(stream.Err()))
		c.awaitCanceled(t)
	})
}

// awaitCanceled waits for the upstream to notice; the limit only turns a hang into a failure.
func (c openAI) awaitCanceled(t *testing.T) {
	t.Helper()
	select {
	case r := <-c.upstream.Canceled():
		same(t, "request", []string{"POST /v1/messages"}, seen(r))
	case <-time.After(10 * time.Second):
		t.Error("the upstream does not see that the client has gone")
	}
}
