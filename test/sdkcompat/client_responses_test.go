package sdkcompat

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// responsesSession is OpenAI's SDK with Responses, without a conversation that the API keeps.
type responsesSession struct {
	client openAI
	p      responseParams
}

func openResponses(_ *testing.T, at address, w wish) session {
	s := &responsesSession{client: openAIClient(at), p: responseParams{
		Model: model, MaxOutputTokens: openai.Int(maxTokens), Store: openai.Bool(false),
	}}
	if w.System != "" {
		s.p.Instructions = openai.String(w.System)
	}
	if w.Tools {
		tool := responses.ToolParamOfFunction(toolName, weatherSchema(), false)
		tool.OfFunction.Description = openai.String(toolDescription)
		s.p.Tools = []responses.ToolUnionParam{tool}
	}
	switch w.Choice {
	case "":
	case "required":
		s.p.ToolChoice.OfToolChoiceMode = openai.Opt(responses.ToolChoiceOptionsRequired)
	default:
		s.p.ToolChoice.OfFunctionTool = &responses.ToolChoiceFunctionParam{Name: w.Choice}
	}
	if w.Schema {
		s.p.Text.Format.OfJSONSchema = &responses.ResponseFormatTextJSONSchemaConfigParam{
			Name: "city", Strict: openai.Bool(true), Schema: answerSchema(),
		}
	}
	if w.Think {
		s.p.Reasoning = shared.ReasoningParam{
			Effort: shared.ReasoningEffortMedium, Summary: shared.ReasoningSummaryAuto,
		}
		s.p.Include = []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent}
	}
	return s
}

func (s *responsesSession) add(items ...responses.ResponseInputItemUnionParam) {
	s.p.Input.OfInputItemList = append(s.p.Input.OfInputItemList, items...)
}

func (s *responsesSession) user(text string, images ...string) {
	parts := responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(text)}
	for _, image := range images {
		part := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
		part.OfInputImage.ImageURL = openai.String("data:image/png;base64," + image)
		parts = append(parts, part)
	}
	s.add(responses.ResponseInputItemParamOfMessage(parts, responses.EasyInputMessageRoleUser))
}

func (s *responsesSession) results(list ...toolResult) {
	for _, r := range list {
		output := responses.ResponseInputItemParamOfFunctionCallOutput(r.Text)
		output.OfFunctionCallOutput.CallID = openai.String(r.ID)
		s.add(output)
	}
}

func (s *responsesSession) ask(ctx context.Context, t *testing.T, stream bool) outcome {
	t.Helper()
	call := respondWhole
	if stream {
		call = respondStream
	}
	r, _, err := call(ctx, s.client, s.p)
	if err != nil {
		return outcome{Failure: openAIFailed(err)}
	}
	if r.Status == "failed" {
		return outcome{Failure: &failed{Late: true, Code: string(r.Error.Code), Message: r.Error.Message}}
	}
	if !strings.HasPrefix(r.ID, "resp_") {
		t.Errorf("id of the response is %q", r.ID)
	}
	got := outcome{
		Model: r.Model, Text: r.OutputText(), Input: r.Usage.InputTokens,
		Cached: r.Usage.InputTokensDetails.CachedTokens, Output: r.Usage.OutputTokens,
		End: ending(map[string]string{
			"completed": "end", "incomplete max_output_tokens": "length", "incomplete content_filter": "filter",
		}, strings.TrimSpace(string(r.Status)+" "+r.IncompleteDetails.Reason)),
	}
	for _, item := range r.Output {
		s.add(param.Override[responses.ResponseInputItemUnionParam](json.RawMessage(item.RawJSON())))
		got.item(t, item)
	}
	return got
}

// item adds what an item shows. That there are calls is all that tells that they are to be answered.
func (got *outcome) item(t *testing.T, item responses.ResponseOutputItemUnion) {
	t.Helper()
	switch item.Type {
	case "message":
		got.Role = item.Role
		for _, part := range item.Content {
			got.Text += part.Refusal
		}
	case "reasoning":
		for _, part := range item.Summary {
			got.Thought += part.Text
		}
	case "function_call":
		got.Calls = append(got.Calls, functionCall{item.CallID, item.Name, item.Arguments.OfString})
		got.End = "tools"
	default:
		t.Errorf("item %s", item.RawJSON())
	}
}

func (s *responsesSession) move(at address) { s.client = openAIClient(at) }

func (s *responsesSession) models(ctx context.Context) ([]string, error) {
	return openAIModelIDs(ctx, s.client)
}
