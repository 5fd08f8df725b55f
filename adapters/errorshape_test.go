package adapters_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
)

const (
	formatA = adapters.AnthropicMessages
	formatC = adapters.OpenAIChatCompletions
	formatR = adapters.OpenAIResponses
)

func TestEncodeError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		format adapters.Format
		err    adapters.ErrorInfo
		want   string
	}{
		{
			"anthropic", formatA,
			adapters.ErrorInfo{Status: 429, Message: `slow <"down">`, RequestID: "req_1"},
			`{"type":"error","error":{"type":"rate_limit_error","message":"slow <\"down\">"},"request_id":"req_1"}`,
		},
		{
			"anthropic without id", formatA,
			adapters.ErrorInfo{Status: 400, Message: "m", Code: "c"},
			`{"type":"error","error":{"type":"invalid_request_error","message":"m"}}`,
		},
		{
			"chat", formatC,
			adapters.ErrorInfo{Status: 400, Message: "m", RequestID: "req_1"},
			`{"error":{"message":"m","type":"invalid_request_error","param":null,"code":null}}`,
		},
		{
			"responses", formatR,
			adapters.ErrorInfo{Type: "own", Message: "m", Code: "c", Param: "p"},
			`{"error":{"message":"m","type":"own","param":"p","code":"c"}}`,
		},
		{
			"unknown", "custom",
			adapters.ErrorInfo{Status: 404, Message: "m"},
			`{"error":{"type":"not_found_error","message":"m"}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := string(adapters.EncodeError(tt.format, tt.err)); got != tt.want {
				t.Errorf("EncodeError = %s\nwant          %s", got, tt.want)
			}
		})
	}
}

func TestErrorTypes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status            int
		anthropic, openAI string
	}{
		{400, "invalid_request_error", "invalid_request_error"},
		{401, "authentication_error", "authentication_error"},
		{402, "billing_error", "insufficient_quota"},
		{403, "permission_error", "permission_error"},
		{404, "not_found_error", "invalid_request_error"},
		{405, "invalid_request_error", "invalid_request_error"},
		{408, "timeout_error", "server_error"},
		{409, "conflict_error", "invalid_request_error"},
		{413, "request_too_large", "invalid_request_error"},
		{422, "invalid_request_error", "invalid_request_error"},
		{426, "invalid_request_error", "invalid_request_error"},
		{429, "rate_limit_error", "rate_limit_error"},
		{500, "api_error", "server_error"},
		{502, "api_error", "server_error"},
		{503, "overloaded_error", "server_error"},
		{504, "timeout_error", "server_error"},
		{529, "overloaded_error", "server_error"},
		{0, "api_error", "server_error"},
	}
	typeOf := func(f adapters.Format, status int) string {
		var body struct{ Error struct{ Type string } }
		encoded := adapters.EncodeError(f, adapters.ErrorInfo{Status: status})
		if err := json.Unmarshal(encoded, &body); err != nil {
			t.Fatal(err)
		}
		return body.Error.Type
	}
	for _, tt := range tests {
		if got := typeOf(formatA, tt.status); got != tt.anthropic {
			t.Errorf("%d is %q to Anthropic clients, want %q", tt.status, got, tt.anthropic)
		}
		for _, f := range []adapters.Format{formatC, formatR} {
			if got := typeOf(f, tt.status); got != tt.openAI {
				t.Errorf("%d is %q in %s, want %q", tt.status, got, f, tt.openAI)
			}
		}
	}
}

func TestEncodeStreamError(t *testing.T) {
	t.Parallel()
	info := adapters.ErrorInfo{Status: 529, Message: "busy", RequestID: "1"}
	tests := []struct {
		format     adapters.Format
		name, data string
	}{
		{
			formatA, "error",
			`{"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"1"}`,
		},
		{
			formatC, "",
			`{"error":{"message":"busy","type":"server_error","param":null,"code":"server_is_overloaded"}}`,
		},
		{"custom", "error", `{"error":{"type":"overloaded_error","message":"busy"}}`},
	}
	for _, tt := range tests {
		got := adapters.EncodeStreamError(tt.format, info)
		if diff := cmp.Diff(adapters.Event{Type: tt.name, Data: []byte(tt.data)}, got); diff != "" {
			t.Errorf("%s mismatch (-want +got):\n%s", tt.format, diff)
		}
	}
}

func TestEncodeStreamErrorResponses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  adapters.ErrorInfo
		code string
	}{
		{"own code", adapters.ErrorInfo{Status: 400, Code: "context_length_exceeded"}, "context_length_exceeded"},
		{"rate limit", adapters.ErrorInfo{Status: 429}, "rate_limit_exceeded"},
		{"request", adapters.ErrorInfo{Status: 400}, "invalid_prompt"},
		{"server", adapters.ErrorInfo{Status: 502}, "server_error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.err.Message, tt.err.RequestID = "m", "7"
			ev := adapters.EncodeStreamError(formatR, tt.err)
			var got map[string]any
			if err := json.Unmarshal(ev.Data, &got); err != nil {
				t.Fatal(err)
			}
			response, ok := got["response"].(map[string]any)
			if created, _ := response["created_at"].(float64); !ok || created < 1e9 {
				t.Errorf("no time of creation in %s", ev.Data)
			}
			delete(response, "created_at")
			want := map[string]any{
				"type": "response.failed", "sequence_number": 0.0,
				"response": map[string]any{
					"id": "resp_7", "object": "response", "status": "failed", "output": []any{},
					"error": map[string]any{"code": tt.code, "message": "m"},
				},
			}
			if diff := cmp.Diff(want, got); diff != "" || ev.Type != "response.failed" {
				t.Errorf("event %q mismatch (-want +got):\n%s", ev.Type, diff)
			}
		})
	}
}
