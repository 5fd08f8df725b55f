package sdkcompat

import (
	"context"
	"net/http"
	"testing"

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
