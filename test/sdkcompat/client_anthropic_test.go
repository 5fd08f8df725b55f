package sdkcompat

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
)

// anthropicSession is Anthropic's SDK with Messages.
type anthropicSession struct {
	tg target
	p  params
}

func openAnthropic(_ *testing.T, at address, w wish) session {
	s := &anthropicSession{p: params{Model: model, MaxTokens: maxTokens}}
	s.move(at)
	if w.System != "" {
		s.p.System = []anthropic.TextBlockParam{{Text: w.System}}
	}
	if w.Tools {
		schema := weatherSchema()
		s.p.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name: toolName, Description: anthropic.String(toolDescription),
			InputSchema: anthropic.ToolInputSchemaParam{Properties: schema["properties"], Required: []string{"request"}},
		}}}
	}
	switch w.Choice {
	case "":
	case "required":
		s.p.ToolChoice = anthropic.ToolChoiceUnionParam{OfAny: &anthropic.ToolChoiceAnyParam{}}
	default:
		s.p.ToolChoice = anthropic.ToolChoiceParamOfTool(w.Choice)
	}
	if w.Schema {
		s.p.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: answerSchema()}
	}
	if w.Think {
		s.p.Thinking = anthropic.ThinkingConfigParamOfEnabled(2048)
	}
	return s
}

func (s *anthropicSession) user(text string, images ...string) {
	blocks := []anthropic.ContentBlockParamUnion{anthropic.NewTextBlock(text)}
	for _, image := range images {
		blocks = append(blocks, anthropic.NewImageBlockBase64("image/png", image))
	}
	s.p.Messages = append(s.p.Messages, anthropic.NewUserMessage(blocks...))
}

func (s *anthropicSession) results(list ...toolResult) {
	var blocks []anthropic.ContentBlockParamUnion
	for _, r := range list {
		blocks = append(blocks, anthropic.NewToolResultBlock(r.ID, r.Text, false))
	}
	s.p.Messages = append(s.p.Messages, anthropic.NewUserMessage(blocks...))
}

func (s *anthropicSession) ask(ctx context.Context, t *testing.T, stream bool) outcome {
	t.Helper()
	call := whole
	if stream {
		call = streamed
	}
	m, err := call(ctx, t, s.tg, s.p)
	if err != nil {
		return outcome{Failure: anthropicFailed(err)}
	}
	s.p.Messages = append(s.p.Messages, m.ToParam())
	if !strings.HasPrefix(m.ID, "msg_") {
		t.Errorf("id of the message is %q", m.ID)
	}
	got := outcome{
		Model: m.Model, Role: string(m.Role),
		Input:  m.Usage.InputTokens + m.Usage.CacheReadInputTokens + m.Usage.CacheCreationInputTokens,
		Cached: m.Usage.CacheReadInputTokens, Output: m.Usage.OutputTokens,
		End: ending(map[string]string{
			"end_turn": "end", "tool_use": "tools", "max_tokens": "length", "refusal": "filter",
		}, string(m.StopReason)),
	}
	for _, b := range m.Content {
		switch b.Type {
		case "text":
			got.Text += b.Text
		case "thinking":
			got.Thought += b.Thinking
		case "tool_use":
			got.Calls = append(got.Calls, functionCall{b.ID, b.Name, string(b.Input)})
		default:
			t.Errorf("block %s", b.RawJSON())
		}
	}
	return got
}

func (s *anthropicSession) move(at address) {
	s.tg = target{baseURL: at.root, client: at.client, apiKey: at.key}
}

func (s *anthropicSession) models(ctx context.Context) (ids []string, err error) {
	client := s.tg.sdk()
	pages := client.Models.ListAutoPaging(ctx, anthropic.ModelListParams{})
	for pages.Next() {
		ids = append(ids, pages.Current().ID)
	}
	return ids, pages.Err()
}

func anthropicFailed(err error) *failed {
	f := failureOf(err)
	if f.Other == "canceled" {
		return &failed{Canceled: true}
	}
	got := &failed{
		Status: f.Status, Type: f.Type, Message: f.Message, RetryAfter: f.RetryAfter, Other: f.Other,
		NoID: f.RequestID == "", Late: f.Status == 200,
	}
	if api, ok := errors.AsType[*anthropic.Error](err); ok && !got.Late && !strings.Contains(api.RawJSON(), f.RequestID) {
		got.Other = "the body has another id: " + api.RawJSON()
	}
	return got
}
