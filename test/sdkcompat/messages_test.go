package sdkcompat

import (
	"context"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

const (
	model     = "claude-fake-1"
	firstID   = "msg_000000000000000000000001"
	secondID  = "msg_000000000000000000000002"
	firstTool = "toolu_000000000000000000000001"
	greeting  = "Grüß Gott — 世界 <&> \"quoted\"\n"
)

// say is a request with one user turn.
func say(text string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: model, MaxTokens: 100,
		System:   []anthropic.TextBlockParam{{Text: "Be brief."}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))},
	}
}

// create is one call of the SDK: whole or streamed, an application gets the same message.
type create func(context.Context, *testing.T, target, params) (*anthropic.Message, error)

type params = anthropic.MessageNewParams

func whole(ctx context.Context, _ *testing.T, tg target, p params) (*anthropic.Message, error) {
	client := tg.sdk()
	return client.Messages.New(ctx, p)
}

func streamed(ctx context.Context, t *testing.T, tg target, p params) (*anthropic.Message, error) {
	t.Helper()
	client := tg.sdk()
	stream := client.Messages.NewStreaming(ctx, p)
	defer stream.Close()
	acc, last := new(anthropic.Message), ""
	for stream.Next() {
		last = stream.Current().Type
		if err := acc.Accumulate(stream.Current()); err != nil {
			return nil, err
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	if last != "message_stop" {
		t.Errorf("stream ends with %q", last)
	}
	return acc, nil
}

// one runs a single call.
func one(call create, p params) func(context.Context, *testing.T, target) result {
	return func(ctx context.Context, t *testing.T, tg target) (r result) {
		t.Helper()
		r.add(call(ctx, t, tg, p))
		return r
	}
}

func messageScenarios() []scenario {
	return textScenarios("message", whole)
}

func streamScenarios() []scenario {
	return textScenarios("stream", streamed)
}

func textScenarios(name string, call create) []scenario {
	text := func(s string, in, out int64) result {
		return result{Messages: []message{{
			ID: firstID, Role: "assistant", Model: model, StopReason: "end_turn",
			Content: []content{{Type: "text", Text: s}}, InputTokens: in, OutputTokens: out,
		}}}
	}
	return []scenario{
		{name: name, run: one(call, say("Hello there")), want: text(providertest.DefaultText, 4, 7)},
		{
			name:   name + " beyond ASCII",
			script: []providertest.Reply{providertest.Message(greeting)},
			run:    one(call, say("Grüße 世界")), want: text(greeting, 4, 6),
		},
		{
			name:   name + " without text",
			script: []providertest.Reply{providertest.Message("")},
			run:    one(call, say("Hi")), want: text("", 3, 1),
		},
	}
}

// toolLoop lets the model call a tool and gives it the tool's answer.
func toolLoop(call create) func(context.Context, *testing.T, target) result {
	return func(ctx context.Context, t *testing.T, tg target) (r result) {
		t.Helper()
		p := say("Please use tool weather.")
		p.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name: "weather", InputSchema: anthropic.ToolInputSchemaParam{
				Properties: map[string]any{"request": map[string]any{"type": "string"}},
			},
		}}}
		m, err := call(ctx, t, tg, p)
		r.add(m, err)
		if err != nil {
			return r
		}
		answer := anthropic.NewToolResultBlock(m.Content[0].ID, "22 degrees", false)
		p.Messages = append(p.Messages, m.ToParam(), anthropic.NewUserMessage(answer))
		r.add(call(ctx, t, tg, p))
		return r
	}
}

func toolScenarios() []scenario {
	want := result{Messages: []message{
		{
			ID: firstID, Role: "assistant", Model: model, StopReason: "tool_use", InputTokens: 6, OutputTokens: 4,
			Content: []content{{
				Type: "tool_use", ID: firstTool, Name: "weather", Input: `{"request":"Please use tool weather."}`,
			}},
		},
		{
			ID: secondID, Role: "assistant", Model: model, StopReason: "end_turn", InputTokens: 8, OutputTokens: 5,
			Content: []content{{Type: "text", Text: "The tool answered: 22 degrees"}},
		},
	}}
	return []scenario{
		{name: "tool loop", run: toolLoop(whole), want: want},
		{name: "tool loop streamed", run: toolLoop(streamed), want: want},
	}
}

func listScenarios() []scenario {
	return []scenario{
		{name: "count tokens", run: countTokens, want: result{Tokens: 3}},
		{
			name: "list models", run: listModels,
			want: result{Models: []string{"claude-fake-3", "claude-fake-2", "claude-fake-1"}},
		},
		{name: "get model", run: getModel("claude-fake-2"), want: result{Models: []string{"claude-fake-2"}}},
	}
}

func countTokens(ctx context.Context, _ *testing.T, tg target) (r result) {
	client := tg.sdk()
	turn := anthropic.NewUserMessage(anthropic.NewTextBlock("one two three"))
	count, err := client.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{
		Model: model, Messages: []anthropic.MessageParam{turn},
	})
	if err != nil {
		return result{Failure: failureOf(err)}
	}
	return result{Tokens: count.InputTokens}
}

// listModels asks for pages that are too small, so that the SDK must follow them.
func listModels(ctx context.Context, _ *testing.T, tg target) (r result) {
	client := tg.sdk()
	pages := client.Models.ListAutoPaging(ctx, anthropic.ModelListParams{Limit: anthropic.Int(2)})
	for pages.Next() {
		r.Models = append(r.Models, pages.Current().ID)
	}
	if err := pages.Err(); err != nil {
		r.Failure = failureOf(err)
	}
	return r
}

func getModel(id string) func(context.Context, *testing.T, target) result {
	return func(ctx context.Context, _ *testing.T, tg target) result {
		client := tg.sdk()
		m, err := client.Models.Get(ctx, id, anthropic.ModelGetParams{})
		if err != nil {
			return result{Failure: failureOf(err)}
		}
		return result{Models: []string{m.ID}}
	}
}
