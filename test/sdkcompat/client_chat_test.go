package sdkcompat

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

// openAIClient is OpenAI's SDK at an address. It does not retry.
func openAIClient(at address) openAI {
	return openAI{Client: openai.NewClient(
		option.WithBaseURL(at.root+"v1/"), option.WithHTTPClient(at.client), option.WithAPIKey(at.key),
		option.WithMaxRetries(0),
	)}
}

// chatSession is OpenAI's SDK with Chat Completions.
type chatSession struct {
	client openAI
	p      chatParams
}

func openChat(_ *testing.T, at address, w wish) session {
	s := &chatSession{client: openAIClient(at), p: chatParams{Model: model, MaxCompletionTokens: openai.Int(maxTokens)}}
	if w.System != "" {
		s.p.Messages = append(s.p.Messages, openai.SystemMessage(w.System))
	}
	if w.Tools {
		s.p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name: toolName, Description: openai.String(toolDescription), Parameters: weatherSchema(),
		})}
	}
	switch w.Choice {
	case "":
	case "required":
		s.p.ToolChoice.OfAuto = openai.String("required")
	default:
		s.p.ToolChoice = openai.ToolChoiceOptionFunctionToolChoice(
			openai.ChatCompletionNamedToolChoiceFunctionParam{Name: w.Choice})
	}
	if w.Schema {
		s.p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
				Name: "city", Strict: openai.Bool(true), Schema: answerSchema(),
			},
		}
	}
	if w.Think {
		s.p.ReasoningEffort = shared.ReasoningEffortMedium
	}
	return s
}

func (s *chatSession) user(text string, images ...string) {
	if images == nil {
		s.p.Messages = append(s.p.Messages, openai.UserMessage(text))
		return
	}
	parts := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(text)}
	for _, image := range images {
		parts = append(parts, openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{
			URL: "data:image/png;base64," + image,
		}))
	}
	s.p.Messages = append(s.p.Messages, openai.UserMessage(parts))
}

func (s *chatSession) results(list ...toolResult) {
	for _, r := range list {
		s.p.Messages = append(s.p.Messages, openai.ToolMessage(r.Text, r.ID))
	}
}

func (s *chatSession) ask(ctx context.Context, t *testing.T, stream bool) outcome {
	t.Helper()
	call := chatWhole
	var r chatReasoning
	if stream {
		call = r.stream
	}
	c, err := call(ctx, s.client, s.p)
	if err != nil {
		return outcome{Failure: openAIFailed(err)}
	}
	a := chatAnswer(t, c, nil)
	if !strings.HasPrefix(a.ID, "chatcmpl-") {
		t.Errorf("id of the answer is %q", a.ID)
	}
	if !stream {
		r.add(t, c.Choices[0].Message.RawJSON())
	}
	s.keep(c.Choices[0].Message, r)
	return outcome{
		Model: a.Model, Role: a.Role, Thought: r.Content, Text: a.Text + a.Refusal, Calls: a.Calls,
		Input: a.Input, Cached: c.Usage.PromptTokensDetails.CachedTokens, Output: a.Output,
		End: ending(map[string]string{
			"stop": "end", "tool_calls": "tools", "length": "length", "content_filter": "filter",
		}, a.End),
	}
}

// keep adds an answer to the conversation. The SDK does not know reasoning, so the application gives it back.
func (s *chatSession) keep(m openai.ChatCompletionMessage, r chatReasoning) {
	turn := m.ToParam()
	extra := make(map[string]any)
	if r.Content != "" {
		extra["reasoning_content"] = r.Content
	}
	if r.Details != nil {
		extra["reasoning_details"] = r.Details
	}
	if len(extra) > 0 {
		turn.OfAssistant.SetExtraFields(extra)
	}
	s.p.Messages = append(s.p.Messages, turn)
}

// chatReasoning is what answers of many vendors have and the SDK does not know.
type chatReasoning struct {
	Content string            `json:"reasoning_content"`
	Details []json.RawMessage `json:"reasoning_details"`
}

// add takes the reasoning of a message or a delta.
func (r *chatReasoning) add(t *testing.T, raw string) {
	t.Helper()
	var more chatReasoning
	if err := json.Unmarshal([]byte(raw), &more); err != nil {
		t.Errorf("%s: %v", raw, err)
	}
	r.Content += more.Content
	r.Details = append(r.Details, more.Details...)
}

// stream is chatStream, which also takes the reasoning.
func (r *chatReasoning) stream(ctx context.Context, c openAI, p chatParams) (*openai.ChatCompletion, error) {
	return chatStreamed(ctx, c, p, func(chunk openai.ChatCompletionChunk) {
		if len(chunk.Choices) == 0 {
			return
		}
		var more chatReasoning
		if json.Unmarshal([]byte(chunk.Choices[0].Delta.RawJSON()), &more) == nil {
			r.Content += more.Content
			r.Details = append(r.Details, more.Details...)
		}
	})
}

func (s *chatSession) move(at address) { s.client = openAIClient(at) }

func (s *chatSession) models(ctx context.Context) ([]string, error) {
	return openAIModelIDs(ctx, s.client)
}

func openAIModelIDs(ctx context.Context, c openAI) (ids []string, err error) {
	pages := c.Models.ListAutoPaging(ctx)
	for pages.Next() {
		ids = append(ids, pages.Current().ID)
	}
	return ids, pages.Err()
}

func openAIFailed(err error) *failed {
	f := openAIFailureOf(err)
	if f.Canceled {
		return &failed{Canceled: true}
	}
	return &failed{
		Status: f.Status, Type: f.Type, Code: f.Code, Message: f.Message, RetryAfter: f.RetryAfter, Late: f.InStream,
		NoID:  f.RequestID == "" && !f.InStream,
		Other: f.Other,
	}
}
