package sdkcompat

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
)

type chatParams = openai.ChatCompletionNewParams

// chat is one call of Chat Completions: whole or streamed, an application gets the same answer.
type chat func(context.Context, openAI, chatParams) (*openai.ChatCompletion, error)

// chats are the two ways to call, for tests that run both.
func chats() map[string]chat { return map[string]chat{"whole": chatWhole, "stream": chatStream} }

func chatWhole(ctx context.Context, c openAI, p chatParams) (*openai.ChatCompletion, error) {
	return c.Chat.Completions.New(ctx, p)
}

func chatStream(ctx context.Context, c openAI, p chatParams) (*openai.ChatCompletion, error) {
	return chatStreamed(ctx, c, p, func(openai.ChatCompletionChunk) {})
}

// chatStreamed shows the chunks to see, too.
func chatStreamed(
	ctx context.Context, c openAI, p chatParams, see func(openai.ChatCompletionChunk),
) (*openai.ChatCompletion, error) {
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := c.Chat.Completions.NewStreaming(ctx, p)
	defer stream.Close()
	var acc openai.ChatCompletionAccumulator
	for stream.Next() {
		see(stream.Current())
		if !acc.AddChunk(stream.Current()) {
			return nil, errors.New("the accumulator refuses " + stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return &acc.ChatCompletion, nil
}

func ask(messages ...openai.ChatCompletionMessageParamUnion) chatParams {
	return chatParams{Model: model, Messages: messages}
}

func chatAnswer(t *testing.T, c *openai.ChatCompletion, err error) answer {
	t.Helper()
	if err != nil {
		t.Fatalf("chat: %v %+v", err, openAIFailureOf(err))
	}
	object := string(c.Object)
	if len(c.Choices) != 1 || !strings.HasPrefix(object, "chat.completion") || c.Created <= 0 {
		t.Fatalf("%d choices, object %q, created %d: %s", len(c.Choices), c.Object, c.Created, c.RawJSON())
	}
	m := c.Choices[0].Message
	got := answer{
		ID: c.ID, Model: c.Model, Role: string(m.Role), Text: m.Content, Refusal: m.Refusal,
		End:   c.Choices[0].FinishReason,
		Input: c.Usage.PromptTokens, Output: c.Usage.CompletionTokens, Total: c.Usage.TotalTokens,
	}
	for _, call := range m.ToolCalls {
		if call.Type != "function" {
			t.Errorf("call of type %q", call.Type)
		}
		got.Calls = append(got.Calls, functionCall{call.ID, call.Function.Name, call.Function.Arguments})
	}
	return got
}

// Usage comes in a chunk of its own, without choices, and only to those who ask for it.
func TestChatStreamUsage(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{false, true} {
		c := openOpenAI(t)
		p := ask(openai.UserMessage("Hello there"))
		if asked {
			p.StreamOptions.IncludeUsage = openai.Bool(true)
		}
		stream := c.Chat.Completions.NewStreaming(t.Context(), p)
		var chunks, usages, bare int
		for stream.Next() {
			chunk := stream.Current()
			chunks++
			if chunk.JSON.Usage.Valid() {
				usages++
			}
			if len(chunk.Choices) == 0 {
				bare++
			}
			if chunk.Object != "chat.completion.chunk" || chunk.Model != model || chunk.Created <= 0 {
				t.Errorf("chunk = %s", chunk.RawJSON())
			}
		}
		want := map[bool]int{true: 1}[asked]
		if err := stream.Err(); err != nil || chunks < 8 || usages != want || bare != want {
			t.Errorf("asked %t: %d chunks, %d with usage, %d without choices, %v", asked, chunks, usages, bare, err)
		}
	}
}

func TestChatInstructions(t *testing.T) {
	t.Parallel()
	for name, call := range chats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openOpenAI(t)
			p := ask(openai.SystemMessage("Be brief."), openai.DeveloperMessage("Be kind."), openai.UserMessage("Hi"))
			p.MaxCompletionTokens, p.Temperature = openai.Int(77), openai.Float(0.5)
			p.Stop.OfStringArray = []string{"END"}
			got, err := call(t.Context(), c, p)
			chatAnswer(t, got, err)
			sent := c.sent(t)
			var system []string
			if s, ok := sent["system"].(string); ok {
				system = strings.Split(s, "\n\n")
			}
			blocks, _ := sent["system"].([]any)
			for _, b := range blocks {
				if block, ok := b.(map[string]any); ok {
					text, _ := block["text"].(string)
					system = append(system, text)
				}
			}
			same(t, "system", []string{"Be brief.", "Be kind."}, system)
			same(t, "sampling", []any{77.0, 0.5, []any{"END"}},
				[]any{sent["max_tokens"], sent["temperature"], sent["stop_sequences"]})
			if messages, ok := sent["messages"].([]any); !ok || len(messages) != 1 {
				t.Errorf("the upstream saw messages %v", sent["messages"])
			}
		})
	}
}

func TestChatFinishReasons(t *testing.T) {
	t.Parallel()
	for name, call := range chats() {
		for reason, want := range map[string]string{
			"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "content_filter",
			"model_context_window_exceeded": "length",
		} {
			t.Run(name+"/"+reason, func(t *testing.T) {
				t.Parallel()
				c := openOpenAI(t, stopped(reason))
				got, err := call(t.Context(), c, ask(openai.UserMessage("Hi")))
				if a := chatAnswer(t, got, err); a.End != want || a.Text != "One two" {
					t.Errorf("answer = %+v, want the end %q", a, want)
				}
			})
		}
	}
}
