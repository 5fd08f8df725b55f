package sdkcompat

import (
	"context"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// The beta service adds a query and a header, which the upstream must get.
func betaScenarios() []scenario {
	want := result{
		Messages: []message{{
			ID: firstID, Role: "assistant", Model: model, StopReason: "end_turn", InputTokens: 1, OutputTokens: 7,
			Content: []content{{Type: "text", Text: providertest.DefaultText}},
		}},
		Upstream: []string{"POST /v1/messages?beta=true", "anthropic-beta: context-1m-2025-08-07"},
	}
	return []scenario{
		{name: "beta message", run: beta(betaWhole), want: want},
		{name: "beta stream", run: beta(betaStreamed), want: want},
	}
}

type (
	betaParams = anthropic.BetaMessageNewParams
	betaCreate func(context.Context, target, betaParams) (*anthropic.BetaMessage, error)
)

func beta(call betaCreate) func(context.Context, *testing.T, target) result {
	return func(ctx context.Context, _ *testing.T, tg target) (r result) {
		m, err := call(ctx, tg, betaParams{
			Model: model, MaxTokens: 100,
			Messages: []anthropic.BetaMessageParam{
				anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock("Hi")),
			},
			Betas: []anthropic.AnthropicBeta{"context-1m-2025-08-07"},
		})
		if err != nil {
			return result{Failure: failureOf(err)}
		}
		got := message{
			ID: m.ID, Role: string(m.Role), Model: m.Model, StopReason: string(m.StopReason),
			InputTokens: m.Usage.InputTokens, OutputTokens: m.Usage.OutputTokens,
		}
		for _, b := range m.Content {
			got.Content = append(got.Content, content{b.Type, b.Text, b.ID, b.Name, string(b.Input)})
		}
		last, _ := tg.upstream.Last()
		return result{
			Messages: []message{got},
			Upstream: append(seen(last), "anthropic-beta: "+last.Header.Get("Anthropic-Beta")),
		}
	}
}

func betaWhole(ctx context.Context, tg target, p betaParams) (*anthropic.BetaMessage, error) {
	client := tg.sdk()
	return client.Beta.Messages.New(ctx, p)
}

func betaStreamed(ctx context.Context, tg target, p betaParams) (*anthropic.BetaMessage, error) {
	client := tg.sdk()
	stream := client.Beta.Messages.NewStreaming(ctx, p)
	defer stream.Close()
	acc := new(anthropic.BetaMessage)
	for stream.Next() {
		if err := acc.Accumulate(stream.Current()); err != nil {
			return nil, err
		}
	}
	return acc, stream.Err()
}
