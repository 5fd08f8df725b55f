package sdkcompat

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

type responseParams = responses.ResponseNewParams

// respond is one call of Responses, with the types of the events if it was streamed.
type respond func(context.Context, openAI, responseParams) (*responses.Response, []string, error)

// responds are the two ways to call, for tests that run both.
func responds() map[string]respond {
	return map[string]respond{"whole": respondWhole, "stream": respondStream}
}

func respondWhole(ctx context.Context, c openAI, p responseParams) (*responses.Response, []string, error) {
	r, err := c.Responses.New(ctx, p)
	return r, nil, err
}

// respondStream gives the response with which the stream ends. What the events before it tell must be the
// same, so it lets the SDK's accumulator, which checks their fields, build the response from them, too.
func respondStream(ctx context.Context, c openAI, p responseParams) (*responses.Response, []string, error) {
	stream := c.Responses.NewStreaming(ctx, p)
	defer stream.Close()
	var (
		types []string
		acc   responses.ResponseAccumulator
		id    string
		said  string // what the events tell before the last
		final *responses.Response
	)
	for stream.Next() {
		ev := stream.Current()
		if ev.SequenceNumber != int64(len(types)) {
			return nil, types, fmt.Errorf("%s has sequence number %d, want %d", ev.Type, ev.SequenceNumber, len(types))
		}
		types = append(types, ev.Type)
		if id = cmp.Or(id, ev.Response.ID); ev.Response.ID != "" && ev.Response.ID != id {
			return nil, types, fmt.Errorf("%s is of %q and not of %q", ev.Type, ev.Response.ID, id)
		}
		if ev.Type == "error" {
			return nil, types, fmt.Errorf("error event %q: %q", ev.Code, ev.Message)
		}
		if ev.Type == "response.completed" || ev.Type == "response.incomplete" || ev.Type == "response.failed" {
			said, final = told(acc.Snapshot()), &ev.Response
		}
		var same responses.ResponsesServerEventUnion
		if err := json.Unmarshal([]byte(ev.RawJSON()), &same); err != nil {
			return nil, types, err
		}
		if err := acc.AddEvent(same); err != nil {
			return nil, types, fmt.Errorf("%s: %w", ev.RawJSON(), err)
		}
	}
	if err := stream.Err(); err != nil {
		return nil, types, err
	}
	if final == nil {
		return nil, types, fmt.Errorf("the stream ends with %v", types)
	}
	if last := told(acc.Snapshot()); final.Status != "failed" && said != last {
		return nil, types, fmt.Errorf("events tell %s, the last one %s", said, last)
	}
	return final, types, nil
}

// told is an accumulated response's content as text.
func told(s responses.ResponseAccumulatorSnapshot) string {
	var b strings.Builder
	for _, item := range s.Output {
		fmt.Fprintf(&b, "%d %s %s %s %s %v;",
			item.OutputIndex, item.ItemID, item.Type, item.CallID, item.Arguments, item.Text)
	}
	return b.String()
}

func input(text string) responseParams {
	p := responseParams{Model: model}
	p.Input.OfString = openai.String(text)
	return p
}

func inputWeather() responseParams {
	p := responseParams{Model: model}
	p.Input.OfInputItemList = responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage("Please use tool weather.", responses.EasyInputMessageRoleUser),
	}
	p.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", weatherSchema(), false)}
	return p
}

func responseAnswer(t *testing.T, r *responses.Response, err error) answer {
	t.Helper()
	if err != nil {
		t.Fatalf("response: %v %+v", err, openAIFailureOf(err))
	}
	if r.Object != "response" || r.CreatedAt <= 0 {
		t.Errorf("object %q, created at %v: %s", r.Object, r.CreatedAt, r.RawJSON())
	}
	got := answer{
		ID: r.ID, Model: r.Model, Text: r.OutputText(),
		End:   strings.TrimSpace(string(r.Status) + " " + r.IncompleteDetails.Reason),
		Input: r.Usage.InputTokens, Output: r.Usage.OutputTokens, Total: r.Usage.TotalTokens,
	}
	for _, item := range r.Output {
		switch item.Type {
		case "message":
			got.Role = item.Role
			for _, part := range item.Content {
				got.Refusal += part.Refusal
			}
		case "function_call":
			got.Calls = append(got.Calls, functionCall{item.CallID, item.Name, item.Arguments.OfString})
		default:
			t.Errorf("item %s", item.RawJSON())
		}
	}
	return got
}

func TestResponsesEvents(t *testing.T) {
	t.Parallel()
	const created, progress = "response.created", "response.in_progress"
	for _, test := range []struct {
		name  string
		reply providertest.Reply
		want  []string
	}{
		{"text", providertest.Message("One two"), []string{
			created, progress, "response.output_item.added", "response.content_part.added",
			"response.output_text.delta", "response.output_text.delta", "response.output_text.done",
			"response.content_part.done", "response.output_item.done", "response.completed",
		}},
		{"tool", providertest.ToolUse("weather", `{"a":1}`), []string{
			created, progress, "response.output_item.added", "response.function_call_arguments.delta",
			"response.function_call_arguments.done", "response.output_item.done", "response.completed",
		}},
		{"cut short", stopped("max_tokens"), []string{
			created, progress, "response.output_item.added", "response.content_part.added",
			"response.output_text.delta", "response.output_text.delta", "response.output_text.done",
			"response.content_part.done", "response.output_item.done", "response.incomplete",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, got, err := respondStream(t.Context(), openOpenAI(t, test.reply), inputWeather())
			if err != nil {
				t.Error(err)
			}
			same(t, "events", test.want, got)
		})
	}
}

func TestResponsesEnds(t *testing.T) {
	t.Parallel()
	for name, call := range responds() {
		for reason, want := range map[string]string{
			"end_turn": "completed", "stop_sequence": "completed", "max_tokens": "incomplete max_output_tokens",
			"model_context_window_exceeded": "incomplete max_output_tokens",
			"refusal":                       "incomplete content_filter",
		} {
			t.Run(name+"/"+reason, func(t *testing.T) {
				t.Parallel()
				got, _, err := call(t.Context(), openOpenAI(t, stopped(reason)), input("Hi"))
				if a := responseAnswer(t, got, err); a.End != want || a.Text != "One two" {
					t.Errorf("answer = %+v, want the end %q", a, want)
				}
			})
		}
	}
}
